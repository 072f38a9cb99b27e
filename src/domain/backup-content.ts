import type { BackupContentName, ContentComparison, ContentSummary } from '../contracts/backup';
import { tableKeys, tenantResources, usagePeriods } from '../contracts/names';
import { omit } from './omit';

export type BackupRecord = Readonly<Record<string, unknown>>;
/** A user id as it is now → as it shall be. An id nobody has any more stays as it is. */
export type MapUser = (userId: string) => string;

const ofUser = tableKeys.sessionsOf('');
const usageKeys: readonly unknown[] = usagePeriods.map((period) => tableKeys.usage(period));
const isUsageKey = (pk: unknown): boolean => usageKeys.includes(pk);
/** Of {@link tableKeys}.usageOf; no user id has a `#`. */
const userOfUsage = /^([^#]+)#([^#]+)#/;
/** Of {@link budgetCounters}.userDay, up to the user's id. */
const dayOfUser = /^BUDGET#USER-DAY#[^#]+#/;
const factsOfUser = /^\/users\/([^/]+)\//;

/** An item of the table with other user ids: in its key (a list of sessions, a figure of usage, a day's budget), in a session's record, in a message. */
export function mapTableUsers(record: BackupRecord, map: MapUser): BackupRecord {
  const { pk, sk, userId, createdBy, message } = record;
  return {
    ...record,
    ...(typeof pk === 'string' && { pk: mapPartition(pk, map) }),
    ...(isUsageKey(pk) && typeof sk === 'string' && { sk: sk.replace(userOfUsage, (_whole, period: string, id: string) => `${period}#${map(id)}#`) }),
    ...(typeof userId === 'string' && { userId: map(userId) }),
    ...(typeof createdBy === 'string' && { createdBy: map(createdBy) }),
    ...(isMessage(message) && { message: { ...message, userId: map(message.userId) } }),
  };
}

function mapPartition(pk: string, map: MapUser): string {
  const before = pk.startsWith(ofUser) ? ofUser : dayOfUser.exec(pk)?.[0];
  return before === undefined ? pk : before + map(pk.slice(before.length));
}

const isMessage = (value: unknown): value is { userId: string; text?: unknown; attachments?: unknown } => typeof value === 'object' && value !== null && 'userId' in value;

/** The same facts, of a user with another id. */
export const mapNamespace = (namespace: string, map: MapUser): string =>
  namespace.replace(factsOfUser, (_whole, userId: string) => `/users/${map(userId)}/`);

/**
 * A record without what a restore changes: ids that AWS gives out, the tenant's id, and where a body lies. Users are
 * named by `map`, which should give something that outlives their id. Records that are equal by it say the same.
 */
export function invariantOf(content: BackupContentName, record: BackupRecord, { tenantId, map }: { tenantId: string; map: MapUser }): BackupRecord {
  switch (content) {
    case 'table': {
      const kept = omit(mapTableUsers(record, map), 'tenantId', 'inBucket');
      const { message } = kept;
      return { ...kept, ...(isMessage(message) && { message: { userId: message.userId, text: message.text, ...(message.attachments !== undefined && { attachments: message.attachments }) } }) };
    }
    case 'memory':
      return { namespace: mapNamespace(String(record['namespace']), map), text: record['text'], createdAt: secondOf(record['createdAt']), ...(record['source'] !== undefined && { source: record['source'] }) };
    case 'config':
      return { ...record, name: String(record['name']).replace(tenantResources(tenantId).parameterPrefix, '') };
    case 'users': {
      const { groups } = record;
      return { ...omit(record, 'userId'), groups: Array.isArray(groups) ? groups.map(String).sort() : [] };
    }
    case 'objects':
      return record;
  }
}

/** AgentCore keeps whole seconds. */
const secondOf = (at: unknown): string => new Date(Math.floor(Date.parse(String(at)) / 1_000) * 1_000).toISOString();

/** JSON with properties in one order, whatever order they were written in. */
export const stableJson = (value: unknown): string => JSON.stringify(value, (_key, inner: unknown) => (isPlain(inner) ? sorted(inner) : inner));

const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const sorted = (value: Record<string, unknown>) => Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Holds what was expected against what was found. */
export const compareContents = (expected: readonly ContentSummary[], found: readonly ContentSummary[]): ContentComparison[] =>
  expected.map(({ content, records, contentHash }) => {
    const other = found.find((summary) => summary.content === content);
    return { content, records, found: other?.records ?? 0, hashesAgree: other?.contentHash === contentHash };
  });

/** What differs, for people. Empty: nothing. */
export const differencesOf = (comparison: readonly ContentComparison[]): string[] =>
  comparison
    .filter(({ records, found, hashesAgree }) => records !== found || !hashesAgree)
    .map(({ content, records, found, hashesAgree }) => `${content} holds ${found} records, ${records} were expected; their hashes ${hashesAgree ? 'agree' : 'differ'}`);
