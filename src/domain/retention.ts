import type { BackupReason } from '../contracts/backup';

export interface KeptBackup {
  readonly backupId: string;
  readonly createdAt: string;
  readonly reason: BackupReason;
  readonly verification?: unknown;
}

export interface RetentionPolicy {
  /** Of each of so many latest days, weeks and months that have a backup, one is kept. Days are UTC; weeks begin on Monday. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  /** Days what was taken before a restore is kept, at least. */
  readonly beforeRestoreDays: number;
  /** Days the backup of a tenant that has left is kept. */
  readonly farewellDays: number;
  /** Days after which a backup that was never finished is given up. */
  readonly unfinishedDays: number;
}

export const defaultRetention: RetentionPolicy = { daily: 7, weekly: 4, monthly: 12, beforeRestoreDays: 7, farewellDays: 90, unfinishedDays: 7 };

const dayMs = 86_400_000;

/** When a tenant's last backup may go. */
export const farewellExpiresAt = (createdAt: string, { farewellDays }: RetentionPolicy = defaultRetention): string =>
  new Date(Date.parse(createdAt) + farewellDays * dayMs).toISOString();

/** When a backup that was never finished may go. */
export const unfinishedExpiresAt = (startedAt: string, { unfinishedDays }: RetentionPolicy = defaultRetention): string =>
  new Date(Date.parse(startedAt) + unfinishedDays * dayMs).toISOString();

/** What there is of one tenant. */
export interface TenantBackups {
  readonly finished: readonly KeptBackup[];
  readonly unfinished: readonly { readonly backupId: string; readonly startedAt: string | undefined }[];
  /** Nothing but its backups is left of it. */
  readonly hasLeft?: boolean;
}

/** Which backups of one tenant may be deleted. */
export function prunable({ finished, unfinished, hasLeft = false }: TenantBackups, now: Date, policy: RetentionPolicy = defaultRetention): string[] {
  const ageDays = (at: string): number => (now.getTime() - Date.parse(at)) / dayMs;
  const newestFirst = finished.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
  const over = hasLeft ? overOnceLeft(newestFirst, ageDays, policy) : overWhileLiving(newestFirst, ageDays, policy);
  return [...over.map(idOf), ...unfinished.filter(({ startedAt }) => startedAt !== undefined && ageDays(startedAt) >= policy.unfinishedDays).map(idOf)];
}

/** All of it goes together, when the time of the newest is over: nothing stays for ever. */
const overOnceLeft = (newestFirst: readonly KeptBackup[], ageDays: (at: string) => number, { farewellDays }: RetentionPolicy): readonly KeptBackup[] =>
  newestFirst[0] && ageDays(newestFirst[0].createdAt) >= farewellDays ? newestFirst : [];

/**
 * Kept are, of each period, its newest verified ordinary backup, or its newest if none is verified; the newest verified of all; a
 * farewell and what was taken before a restore, as long as the policy says.
 */
function overWhileLiving(newestFirst: readonly KeptBackup[], ageDays: (at: string) => number, policy: RetentionPolicy): readonly KeptBackup[] {
  // What was taken before a restore holds what was to be got rid of: it takes no other's place.
  const ordinary = newestFirst.filter(({ reason }) => reason !== 'farewell' && reason !== 'before-restore');
  const kept = new Set<string>([
    ...newestFirst.filter(({ reason, createdAt }) => reason === 'farewell' && ageDays(createdAt) < policy.farewellDays).map(idOf),
    ...newestFirst.filter(({ reason, createdAt }) => reason === 'before-restore' && ageDays(createdAt) < policy.beforeRestoreDays).map(idOf),
    ...oneOfEach(ordinary, dayOf, policy.daily),
    ...oneOfEach(ordinary, weekOf, policy.weekly),
    ...oneOfEach(ordinary, monthOf, policy.monthly),
    // It may be none of the ordinary ones: of an offboarding that was called off, or of who had the id before.
    ...newestFirst.filter(isVerified).slice(0, 1).map(idOf),
    ...ordinary.filter(isVerified).slice(0, 1).map(idOf),
  ]);
  return newestFirst.filter(({ backupId }) => !kept.has(backupId));
}

const idOf = ({ backupId }: { backupId: string }): string => backupId;
const isVerified = ({ verification }: KeptBackup): boolean => verification !== undefined;

/** The best of each of the `count` latest periods. */
function oneOfEach(newestFirst: readonly KeptBackup[], periodOf: (at: Date) => string, count: number): string[] {
  const periods = [...new Set(newestFirst.map(({ createdAt }) => periodOf(new Date(createdAt))))].slice(0, count);
  return periods.flatMap((period) => {
    const backups = newestFirst.filter(({ createdAt }) => periodOf(new Date(createdAt)) === period);
    return (backups.find(isVerified) ?? backups[0])?.backupId ?? [];
  });
}

const dayOf = (at: Date): string => at.toISOString().slice(0, 10);
const monthOf = (at: Date): string => at.toISOString().slice(0, 7);
/** Its Monday. */
const weekOf = (at: Date): string => dayOf(new Date(at.getTime() - ((at.getUTCDay() + 6) % 7) * dayMs));
