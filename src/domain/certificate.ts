import type { KeptBackup } from '../contracts/backup';
import type { DeletionCertificate, HistoriesLeft, KeyDeletion, RehearsalEvidence } from '../contracts/certificate';
import type { InventoryReport, OwnedResource, ResourceCheck } from '../contracts/inventory';
import { scheduleIds } from '../contracts/names';
import type { OffboardingRequest, Operation } from '../contracts/operation';
import { auditRetentionDays } from './audit';
import { mayStay } from './inventory';
import { stepTitles } from './operation';
import { farewellExpiresAt, unfinishedExpiresAt } from './retention';

interface Evidence {
  readonly displayName: string;
  readonly operation: Operation;
  readonly request: OffboardingRequest;
  /** What there was when deletion began, and where that list is kept. */
  readonly before: { readonly report: InventoryReport; readonly location: string; readonly sha256: string; readonly takenAt: string };
  /** What there is now: only what may stay. */
  readonly after: InventoryReport;
  readonly keys: readonly KeyDeletion[];
  readonly backup: DeletionCertificate['backup'];
  /** All that lies in the backup bucket, that one included. */
  readonly backups: readonly KeptBackup[];
  /** What Temporal has of the sessions. Absent: their histories were to be kept. */
  readonly histories?: HistoriesLeft;
  readonly rehearsal: RehearsalEvidence;
  readonly issuedAt: string;
}

/** Puts together what proves that a tenant is gone. @throws TypeError when a kind was owned that nobody looks for any more. */
export function certify(evidence: Evidence): DeletionCertificate {
  const { operation, request, before, after, displayName, issuedAt } = evidence;
  const { report, ...inventory } = before;
  return {
    format: 'tenure-deletion-certificate/1',
    tenantId: operation.tenantId,
    displayName,
    operationId: operation.operationId,
    requestedBy: request.requestedBy,
    requestedAt: operation.startedAt,
    issuedAt,
    asked: { graceSeconds: request.graceSeconds, drain: request.drain, rehearsal: request.rehearsal, histories: request.histories },
    steps: operation.steps.flatMap(({ name, state, startedAt, finishedAt }) =>
      startedAt === undefined || state === 'running' ? [] : [{ name, title: titleOf(name), state, startedAt, ...(finishedAt !== undefined && { finishedAt }) }],
    ),
    ...(operation.sessions && { sessions: operation.sessions }),
    inventory,
    resources: report.resources.map((resource) => certifiedResource(resource, after)),
    checks: after.checks.map(({ found, ...check }) => ({ ...check, before: checkOf(check, report)?.found ?? 0, after: found })),
    keys: [...evidence.keys],
    backup: evidence.backup,
    ...(evidence.histories && { histories: evidence.histories }),
    rehearsal: evidence.rehearsal,
    kept: keptOf(evidence),
  };
}

/** What a tenant had when it began to leave: its schedules are deleted first, before the inventory is taken. */
export function withSchedules(tenantId: string, report: InventoryReport, schedules: readonly { readonly name: string }[]): InventoryReport {
  const kind = { service: 'temporal', type: 'schedule' };
  const known = new Set(report.resources.map(({ name }) => name));
  const deleted = schedules.map(({ name }) => ({ ...kind, name: scheduleIds.of(tenantId, name) })).filter(({ name }) => !known.has(name));
  const isOfKind = ({ service, type }: ResourceCheck) => service === kind.service && type === kind.type;
  return {
    resources: [...report.resources, ...deleted],
    checks: report.checks.map((check) => (isOfKind(check) ? { ...check, found: check.found + deleted.length } : check)),
  };
}

function certifiedResource(resource: OwnedResource, after: InventoryReport): DeletionCertificate['resources'][number] {
  const check = checkOf(resource, after);
  if (!check) throw new TypeError(`Nobody looks for ${resource.service}:${resource.type}.`);
  const still = after.resources.find(({ service, type, name }) => service === resource.service && type === resource.type && name === resource.name);
  return { ...resource, outcome: still && mayStay(still) ? 'kept' : 'absent', call: check.call, checkedAt: check.checkedAt };
}

const checkOf = ({ service, type }: Pick<OwnedResource, 'service' | 'type'>, { checks }: InventoryReport) =>
  checks.find((check) => check.service === service && check.type === type);

/** Everything of the tenant that is still somewhere; a reader must not have to guess. */
const keptOf = ({ operation: { tenantId }, request, keys, backups, before, histories }: Evidence): DeletionCertificate['kept'] => [
  ...keptBackups(backups),
  ...keys.map(({ keyArn, deletionDate }) => ({ what: `key ${keyArn}, which opens nothing any more`, why: 'KMS deletes no key at once', until: deletionDate })),
  { what: `the id ${tenantId}, as a tombstone in the registry`, why: 'so that nobody else gets it', until: 'it is purged by an operator' },
  {
    what: `the audit log of ${tenantId}: who did what and when, by their ids in its user pool, and the addresses they came from; no texts`,
    why: 'to answer for what was done',
    until: `${auditRetentionDays} days after each entry`,
  },
  { what: `this certificate and the inventory it rests on, at ${before.location}`, why: 'as proof', until: 'they are deleted by an operator' },
  ...(histories && histories.listed > 0 ? [lastingHistories(histories)] : []),
  request.histories === 'kept'
    ? { what: 'histories of closed workflows in Temporal: steps and times, no texts', why: 'Temporal keeps them for its retention', until: 'the retention of the namespace is over' }
    : { what: 'histories of operations on the tenant in Temporal: steps and times, no texts', why: 'they record this deletion', until: 'the retention of the namespace is over' },
  { what: `metrics with the id ${tenantId} in CloudWatch: counts and times, no texts`, why: 'CloudWatch deletes no metric at once', until: 'they expire, 15 months after the last of them' },
];

/** Newest first. Once a tenant has left, all go with the newest. */
function keptBackups(backups: readonly KeptBackup[]): DeletionCertificate['kept'] {
  const complete = backups.flatMap((backup) => (backup.state === 'complete' ? [backup] : [])).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  const newest = complete[0]?.createdAt;
  const byHand = 'it is deleted by an operator';
  return [
    ...complete.map(({ backupId, reason, createdAt, location }) => ({
      what: `backup ${backupId} (${reason}, of ${createdAt}), sealed under the platform's backup key, at ${location}`,
      why: reason === 'farewell' ? 'so that the tenant can be restored' : 'it was taken while the tenant was there; all its backups go together',
      until: newest === undefined ? byHand : farewellExpiresAt(newest),
    })),
    ...backups.flatMap((backup) => {
      if (backup.state === 'complete') return [];
      const what = `what lies of backup ${backup.backupId}, sealed under the platform's backup key, at ${backup.location}`;
      if (backup.state === 'damaged') return [{ what, why: 'its manifest was changed: it is no backup any more', until: byHand }];
      return [{ what, why: 'it was never finished', until: backup.startedAt === undefined ? byHand : unfinishedExpiresAt(backup.startedAt) }];
    }),
  ];
}

const lastingHistories = ({ listed, held, checkedAt }: HistoriesLeft): DeletionCertificate['kept'][number] => ({
  what: `${listed} closed sessions in Temporal's list, still listed at ${checkedAt}; ${held} of them with their history, which nobody can read without the tenant's key`,
  why: 'Temporal was asked to delete them, and was not done in the time that was waited',
  until: 'Temporal has deleted them, or the retention of the namespace is over',
});

const titleOf = (name: string): string => (Object.hasOwn(stepTitles, name) ? stepTitles[name as keyof typeof stepTitles] : name);

/** What a completed rehearsal proves. */
export const rehearsalEvidence = ({ operationId, startedAt, finishedAt = startedAt, comparison = [] }: Operation): RehearsalEvidence => ({
  outcome: 'passed',
  operationId,
  finishedAt,
  durationMs: Date.parse(finishedAt) - Date.parse(startedAt),
  compared: comparison.map((one) => ({ ...one })),
});
