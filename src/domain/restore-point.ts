import { tableKeys } from '../contracts/names';
import type { BackupRecord } from './backup-content';
import { type Heads, isPlace, placeWithin, withoutHolds } from './counted-use';
import { omit } from './omit';

/** Where a restore to a point stands in the table: the session whose log it goes through, and whether that has ended. */
export interface PointProgress {
  readonly log?: string | undefined;
  /** Last sequence number that was kept. */
  readonly lastSeq: number;
  /** Nothing more of this log: a batch was left out, or one is missing. */
  readonly cut: boolean;
}

export const beforeAnyRecord: PointProgress = { lastSeq: 0, cut: false };

/** The time a restore goes back to (ISO; absent: to all of the backup), with what a record does not tell by itself. */
export interface RestorePoint {
  readonly until: string | undefined;
  /** As far as logs are kept. */
  readonly heads: Heads;
  /** Sessions whose use was followed when they were backed up. */
  readonly followed: ReadonlySet<string>;
}

type PointInTime = RestorePoint & { readonly until: string };

const logPrefix = tableKeys.events('');
const messagePrefix = tableKeys.messages('');
const sessionPrefix = tableKeys.session('');
const approvalPrefix = tableKeys.approvals('');
const callPrefix = tableKeys.calls('');
const approvalLists: readonly string[] = [tableKeys.approvalList('waiting'), tableKeys.approvalList('decided')];

/** @param records - all of the table: a log may come before or behind what was counted of it. Those of one log in order. */
export async function restorePoint(until: string | undefined, records: AsyncIterable<BackupRecord>): Promise<RestorePoint> {
  const heads = new Map<string, number>();
  const followed = new Set<string>();
  let progress = beforeAnyRecord;
  for await (const record of records) {
    const pk = String(record['pk']);
    if (pk === tableKeys.openSessions()) followed.add(String(record['sk']));
    if (!pk.startsWith(logPrefix)) continue;
    ({ progress } = batchAtPoint(progress, record, until));
    heads.set(pk.slice(logPrefix.length), progress.lastSeq);
  }
  return { until, heads, followed };
}

/**
 * Whether a record of the table belongs to the tenant as it was at the point, and what of it; a session's comes with its place among those whose use is followed, an approval's with its copy in a list. A log is kept
 * up to its first batch that is younger, or that does not follow the one before: so it stays without a gap, whatever clocks
 * said. Records of a log must come in order, as a table is read.
 */
export function recordAtPoint(progress: PointProgress, record: BackupRecord, point: RestorePoint): { progress: PointProgress; kept: readonly BackupRecord[] } {
  if (String(record['pk']).startsWith(logPrefix)) return batchAtPoint(progress, record, point.until);
  const item = isPlace(record) ? placeWithin(record, point.heads) : withoutHolds(record);
  if (!item) return { progress, kept: [] };
  return { progress, kept: isPlace(item) || point.until === undefined ? [item] : itemsAtPoint(item, { ...point, until: point.until }) };
}

function batchAtPoint(before: PointProgress, record: BackupRecord, until: string | undefined): { progress: PointProgress; kept: readonly BackupRecord[] } {
  const log = String(record['pk']);
  const progress = before.log === log ? before : { ...beforeAnyRecord, log };
  const first = Number(record['sk']);
  const keeps = !progress.cut && first === progress.lastSeq + 1 && (until === undefined || isBy(record['at'], until));
  return keeps
    ? { progress: { ...progress, lastSeq: progress.lastSeq + Number(record['count']) }, kept: [record] }
    : { progress: { ...progress, cut: true }, kept: [] };
}

function itemsAtPoint(record: BackupRecord, point: PointInTime): readonly BackupRecord[] {
  const { until } = point;
  const pk = String(record['pk']);
  // Each session and each approval brings its own place in these lists.
  if (pk === tableKeys.openSessions() || approvalLists.includes(pk)) return [];
  if (pk.startsWith(messagePrefix)) return isBy(record['at'], until) ? [record] : [];
  if (pk.startsWith(callPrefix)) return isBy(record['begunAt'], until) ? [record] : [];
  if (pk.startsWith(approvalPrefix)) return isBy(record['requestedAt'], until) ? listedApproval(approvalAtPoint(record, until)) : [];
  if (pk.startsWith(sessionPrefix)) return followedAtPoint(record, point);
  return sessionAtPoint(record, until);
}

/** One that was decided later waits. */
function approvalAtPoint(record: BackupRecord, until: string): BackupRecord {
  return isBy(record['decidedAt'], until) ? record : { ...omit(record, 'by', 'expired', 'decidedAt'), state: 'waiting' };
}

/** With its copy: a backup that was taken while it was decided can have it in both lists. */
function listedApproval(record: BackupRecord): readonly BackupRecord[] {
  const { state, requestedAt, approvalId } = record;
  return [record, { ...record, pk: tableKeys.approvalList(state === 'waiting' ? 'waiting' : 'decided'), sk: tableKeys.listed(String(requestedAt), String(approvalId)) }];
}

/** A session that is open at the point is followed, whether or not it was counted to its end since. */
function followedAtPoint(record: BackupRecord, { until, followed }: PointInTime): readonly BackupRecord[] {
  return sessionAtPoint(record, until).flatMap((session) => {
    const sessionId = sessionIn(session);
    const { userId, closedAt } = session;
    // What stands in place of a session that was erased is nobody's.
    const isFollowed = userId !== undefined && (closedAt === undefined || followed.has(sessionId));
    return isFollowed ? [session, { pk: tableKeys.openSessions(), sk: sessionId, userId }] : [session];
  });
}

const sessionIn = ({ pk }: BackupRecord): string => String(pk).slice(sessionPrefix.length);

/** A session that was opened later is not there yet; one that was closed later is open. */
function sessionAtPoint(record: BackupRecord, until: string): readonly BackupRecord[] {
  if (!isBy(record['createdAt'], until)) return [];
  const { closedAt, ...open } = record;
  return [closedAt === undefined || isBy(closedAt, until) ? record : open];
}

/** Whether it was there at that time, or knows no time. */
export const isBy = (at: unknown, until: string | undefined): boolean => typeof at !== 'string' || until === undefined || Date.parse(at) <= Date.parse(until);
