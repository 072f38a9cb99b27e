import { Context } from '@temporalio/activity';
import type { BackupEvidence, HistoriesLeft, NoBackupEvidence, RehearsalEvidence, TenantKey } from '../../contracts/certificate';
import { DomainError } from '../../contracts/errors';
import type { ScheduleBefore } from '../../contracts/maintenance';
import type { OffboardingRequest, Operation } from '../../contracts/operation';
import { certify, withSchedules } from '../../domain/certificate';
import { describeResource, leftovers } from '../../domain/inventory';
import { farewellExpiresAt } from '../../domain/retention';
import type { Backups } from '../../ports/backups';
import type { Certificates } from '../../ports/certificates';
import type { TenantData, TenantWork } from '../../ports/provisioning';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { beat } from '../beat';
import { pauses } from './waiting';

export interface CertificateDeps {
  readonly registry: TenantRegistry;
  readonly inventory: TenantInventory;
  readonly certificates: Certificates;
  readonly backups: Backups;
  readonly data: TenantData;
  readonly work: TenantWork;
}

export interface IssueCertificateInput {
  readonly tenantId: string;
  readonly operationId: string;
  readonly operation: Operation;
  readonly request: OffboardingRequest;
  /** What ran by the clock, and was deleted before the inventory was taken. Absent: nobody noted it. */
  readonly schedules?: readonly ScheduleBefore[];
  readonly rehearsal: RehearsalEvidence;
  /** How the key was found that a backup would have needed. Absent: there is a backup. */
  readonly lostKey?: TenantKey;
}

/** Temporal's list lags behind: nothing is left when two looks found nothing. */
const quietLooks = 2;
/** Temporal deletes histories when it comes to it. What it has not by then, the certificate names. */
const historiesGoneWithinMs = 10 * 60_000;

/** What a deletion leaves behind: proof. */
export const createCertificateActivities = ({ registry, inventory, certificates, backups, data, work }: CertificateDeps) => ({
  /** Notes all there is before anything is deleted. @returns how many things that is. */
  async keepInventory({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<{ location: string; resources: number }> {
    const report = await inventory.inspect(tenantId, Context.current().info.workflowExecution);
    const { location, value } = await certificates.keepInventory({ tenantId, operationId }, report);
    return { location, resources: value.resources.length };
  },

  /** Ends what of the tenant still runs in Temporal; with `deleteHistories`, deletes what its sessions left there, and waits until that is gone. */
  async endWork({ tenantId, deleteHistories }: { tenantId: string; deleteHistories: boolean }): Promise<void> {
    await work.end(tenantId, { workflowId: Context.current().info.workflowExecution?.workflowId ?? '' });
    if (deleteHistories) await untilHistoriesAreGone(work, tenantId);
  },

  /**
   * Looks for everything once more, and signs what was found: there is no certificate of a tenant that still has something.
   * One for each operation, however often it is asked for.
   * @throws DomainError `infrastructure/failed` that names what is still there; `dependency/unavailable`.
   */
  async issueCertificate({ tenantId, operationId, operation, request, schedules = [], rehearsal, lostKey }: IssueCertificateInput): Promise<void> {
    if (await certificates.find(tenantId, operationId)) return;
    const after = await inventory.inspect(tenantId, Context.current().info.workflowExecution);
    const left = leftovers(after.resources);
    if (left.length > 0) throw new DomainError('infrastructure/failed', `Still there: ${left.map(describeResource).join(', ')}`);
    const [record, before, keys, backup, kept, histories] = await Promise.all([
      registry.get(tenantId),
      certificates.inventory({ tenantId, operationId }),
      data.scheduleKeyDeletion(tenantId),
      request.withoutBackup ? noBackup(request.withoutBackup, lostKey) : backupEvidence(certificates, operation),
      backups.kept(tenantId),
      request.histories === 'deleted' ? historiesLeft(work, tenantId) : undefined,
    ]);
    if (record?.status !== 'deleted' || record.operationId !== operationId) throw new Error(`${tenantId} has no tombstone of ${operationId}.`);
    if (!before) throw new Error(`The inventory of ${operationId} is not there.`);
    const { value: report, storedAt: takenAt, ...place } = before;
    const issuedAt = new Date().toISOString();
    const evidence = { displayName: record.displayName, operation, request, before: { report: withSchedules(tenantId, report, schedules), takenAt, ...place }, after, keys, backup, backups: kept, rehearsal, issuedAt };
    await certificates.issue(certify({ ...evidence, ...(histories && { histories }) }));
  },
});

async function untilHistoriesAreGone(work: TenantWork, tenantId: string): Promise<void> {
  const pause = pauses();
  const giveUpAtMs = performance.now() + historiesGoneWithinMs;
  for (let quiet = 0; quiet < quietLooks && performance.now() < giveUpAtMs; ) {
    const listed = await work.deleteHistories(tenantId);
    quiet = listed === 0 ? quiet + 1 : 0;
    beat(`${listed} sessions are still listed`);
    await pause();
  }
}

const historiesLeft = async (work: TenantWork, tenantId: string): Promise<HistoriesLeft> => ({ ...(await work.histories(tenantId)), checkedAt: new Date().toISOString() });

function noBackup({ reason }: { reason: string }, lostKey: TenantKey | undefined): NoBackupEvidence {
  if (!lostKey) throw new Error('Nobody looked whether a backup could be taken.');
  return { outcome: 'impossible', reason, ...lostKey };
}

async function backupEvidence(certificates: Certificates, { tenantId, backupId = '', steps }: Operation): Promise<BackupEvidence> {
  const manifest = await certificates.backup(tenantId, backupId);
  const verifiedAt = steps.find(({ name }) => name === 'verify_backup')?.finishedAt;
  if (!manifest || verifiedAt === undefined) throw new DomainError('backup/incomplete', `The backup ${backupId} is not there any more.`);
  const { value, location, sha256 } = manifest;
  return {
    backupId,
    location,
    sha256,
    format: value.format,
    takenAt: value.createdAt,
    verifiedAt,
    records: value.parts.reduce((sum, { records }) => sum + records, 0),
    expiresAt: farewellExpiresAt(value.createdAt),
  };
}
