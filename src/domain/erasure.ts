import type { BackupContentName, KeptBackup } from '../contracts/backup';
import type { ErasedPlace, ErasurePlan, ErasureStatement, ListedErasure } from '../contracts/erasure';
import { budgetCounters, objectKeys, tableKeys } from '../contracts/names';
import type { SessionRecord } from '../contracts/session';
import type { BackupRecord } from './backup-content';
import { defaultRetention } from './retention';

/** For so long a process remembers whose a session is: until then one that was erased may still be spoken to. */
export const ownersRememberedMs = 10_000;

/** A session, and all that agents work in for it, however deep. @param others - sessions of the same user, among which they are. */
export function withChildren(session: SessionRecord, others: readonly SessionRecord[]): SessionRecord[] {
  const children = others.filter(({ parent }) => parent?.sessionId === session.sessionId);
  return [session, ...children.flatMap((child) => withChildren(child, others))];
}

/** What restores leave out. */
export interface Erased {
  readonly sessions: ReadonlySet<string>;
  readonly users: ReadonlySet<string>;
}

export const nothingErased: Erased = { sessions: new Set(), users: new Set() };

/**
 * What was erased since a backup was begun. A tenant is backed up and erased from one after the other, never at once.
 * @param idsOf - the ids that the backup has for the user of an erasure, besides the one the user had when it began.
 */
export function erasedSince(erasures: readonly ListedErasure[], takenAt: string, idsOf: (plan: ErasurePlan) => readonly string[]): Erased {
  const since = erasures.filter(({ issuedAt }) => issuedAt === undefined || issuedAt > takenAt).map(({ plan }) => plan);
  return {
    sessions: new Set(since.flatMap(({ sessions }) => sessions.map(({ sessionId }) => sessionId))),
    users: new Set(since.flatMap((plan) => ('userId' in plan.subject ? [plan.subject.userId, ...idsOf(plan)] : []))),
  };
}

/** Partitions of the table that are one session's, up to its id. */
const partitionsOfSession = [
  tableKeys.session(''),
  tableKeys.events(''),
  tableKeys.messages(''),
  tableKeys.attachments(''),
  tableKeys.calls(''),
  tableKeys.approvals(''),
  tableKeys.questions(''),
  tableKeys.reservations(''),
  tableKeys.budget(budgetCounters.session('')),
] as const;

/** The partitions of a session. */
export const partitionsOf = (sessionId: string): string[] => partitionsOfSession.map((prefix) => `${prefix}${sessionId}`);

/** Partitions in which the sort key is the id of a session. */
export const listsOfIds: readonly string[] = [tableKeys.outOfBudget(), tableKeys.openSessions()];

/** The session that an item of the table belongs to. */
export function sessionOfItem({ pk, sk, sessionId }: BackupRecord): string | undefined {
  const key = String(pk);
  const prefix = partitionsOfSession.find((one) => key.startsWith(one));
  if (prefix !== undefined) return key.slice(prefix.length);
  if (listsOfIds.includes(key)) return String(sk);
  return typeof sessionId === 'string' ? sessionId : undefined;
}

/** Whether a record of a backup is left out by a restore: it is of a session or a user that was erased since. */
export function isErased(content: BackupContentName, record: BackupRecord, { sessions, users }: Erased): boolean {
  switch (content) {
    case 'table': {
      if (record['pk'] === tableKeys.agentSchedules()) return users.has(String(record['userId']));
      const sessionId = sessionOfItem(record);
      return sessionId !== undefined && sessions.has(sessionId);
    }
    case 'memory':
      return users.has(String(record['namespace']).split('/')[2] ?? '') || sessions.has(sessionOfFact(record));
    case 'objects': {
      const key = String(record['key']);
      return key.startsWith(objectKeys.batches) && sessions.has(key.slice(objectKeys.batches.length).split('/')[0] ?? '');
    }
    case 'users':
    case 'config':
      return false;
  }
}

/** Empty: it was extracted from none. */
const sessionOfFact = ({ source }: BackupRecord): string => (typeof source === 'object' && source !== null && 'sessionId' in source ? String(source.sessionId) : '');

const dayMs = 86_400_000;
/** Of the longest period that the rule of retention has. */
const longestKeptDays = (defaultRetention.monthly + 1) * 31;

interface Evidence {
  readonly plan: ErasurePlan;
  readonly places: readonly ErasedPlace[];
  /** All that lies in the bucket. */
  readonly backups: readonly KeptBackup[];
  readonly issuedAt: string;
}

/** What is signed at the end. */
export const statementOf = ({ plan, places, backups, issuedAt }: Evidence): ErasureStatement => ({
  format: 'tenure-erasure-statement/1',
  tenantId: plan.tenantId,
  operationId: plan.operationId,
  subject: plan.subject,
  requestedBy: plan.requestedBy,
  requestedAt: plan.requestedAt,
  issuedAt,
  sessions: plan.sessions.map(({ sessionId }) => sessionId),
  schedules: plan.schedules,
  places: [...places],
  backups: backups
    .filter((backup) => backup.state === 'complete')
    .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))
    .map(({ backupId, createdAt }) => ({ backupId, takenAt: createdAt, expiresAt: new Date(Date.parse(createdAt) + longestKeptDays * dayMs).toISOString() })),
  kept: [...keptAlways, ...('userId' in plan.subject ? keptOfUsers : []), ...backups.flatMap(keptWithoutUse)],
});

/** Nothing restores from it, but it may hold what was erased all the same. */
function keptWithoutUse({ backupId, state }: KeptBackup): ErasureStatement['kept'] {
  if (state === 'complete') return [];
  return [state === 'damaged' ? { what: `backup ${backupId}, whose manifest is damaged`, why: 'somebody has to look at it, and deletes it then' } : { what: `backup ${backupId}, which was never finished`, why: 'it is deleted a week after it was last written' }];
}

const keptAlways: ErasureStatement['kept'] = [
  { what: 'entries of the audit log: who asked for what, ids, times; nothing that was said', why: 'accountability; they go after 400 days' },
  { what: 'figures of usage and budgets: tokens and costs by hour, user id and model', why: 'billing; nothing that was said' },
  { what: 'the ids of the erased sessions', why: 'nobody may open a session under an id that was erased, and restores leave them out' },
  { what: "DynamoDB's point-in-time recovery of the tenant's table, for 35 days, and up to ten minutes in the memory of processes", why: 'nothing of Tenure restores from either' },
  { what: 'forks of an erased session', why: 'they are sessions of their own, and are erased as such' },
];

const keptOfUsers: ErasureStatement['kept'] = [
  { what: "a digest of the account's e-mail address, in the list of erasures", why: 'restores make the account anew under another id, and leave out what was erased by it' },
  { what: "the account in the tenant's user pool, with its e-mail address", why: 'it is how the user signs in; the tenant deletes it there' },
  { what: 'API keys and machine clients the user made, with the id of who made them, and what is kept of these programs', why: 'others may depend on them; they are revoked by hand, and erased as users of their own' },
  { what: "decisions on tool calls in other users' sessions, with the id of who decided and their note", why: 'they are part of those conversations' },
];
