import { tableKeys } from '../contracts/names';
import type { BackupRecord } from './backup-content';

/** Where a restore to a point stands in the table: the session whose log it goes through, and whether that has ended. */
export interface PointProgress {
  readonly log?: string | undefined;
  /** Last sequence number that was kept. */
  readonly lastSeq: number;
  /** Nothing more of this log: a batch was left out, or one is missing. */
  readonly cut: boolean;
}

export const beforeAnyRecord: PointProgress = { lastSeq: 0, cut: false };

const logPrefix = tableKeys.events('');
const messagePrefix = tableKeys.messages('');

/**
 * Whether a record of the table belongs to the tenant as it was at `until` (ISO; absent: as it was backed up), and what of
 * it. A log is kept up to its first batch that is younger, or that does not follow the one before: so it stays without a
 * gap, whatever clocks said. Records of a log must come in order, as a table is read.
 */
export function recordAtPoint(progress: PointProgress, record: BackupRecord, until: string | undefined): { progress: PointProgress; kept: BackupRecord | undefined } {
  const pk = String(record['pk']);
  if (pk.startsWith(logPrefix)) return batchAtPoint(progress.log === pk ? progress : { ...beforeAnyRecord, log: pk }, record, until);
  if (until === undefined) return { progress, kept: record };
  if (pk.startsWith(messagePrefix)) return { progress, kept: isBy(record['at'], until) ? record : undefined };
  return { progress, kept: sessionAtPoint(record, until) };
}

function batchAtPoint(progress: PointProgress, record: BackupRecord, until: string | undefined) {
  const first = Number(record['sk']);
  const keeps = !progress.cut && first === progress.lastSeq + 1 && (until === undefined || isBy(record['at'], until));
  return keeps
    ? { progress: { ...progress, lastSeq: progress.lastSeq + Number(record['count']) }, kept: record }
    : { progress: { ...progress, cut: true }, kept: undefined };
}

/** A session that was opened later is not there yet; one that was closed later is open. */
function sessionAtPoint(record: BackupRecord, until: string): BackupRecord | undefined {
  if (!isBy(record['createdAt'], until)) return undefined;
  const { closedAt, ...open } = record;
  return closedAt === undefined || isBy(closedAt, until) ? record : open;
}

/** Whether it was there at that time, or knows no time. */
export const isBy = (at: unknown, until: string | undefined): boolean => typeof at !== 'string' || until === undefined || Date.parse(at) <= Date.parse(until);
