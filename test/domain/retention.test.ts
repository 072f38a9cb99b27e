import fc from 'fast-check';
import { defaultRetention, type KeptBackup, prunable } from '../../src/domain/retention';

const now = new Date('2026-06-15T12:00:00.000Z');
const daysAgo = (days: number): string => new Date(now.getTime() - days * 86_400_000).toISOString();
const backup = (days: number, more: Partial<KeptBackup> = {}): KeptBackup => ({ backupId: `bak-${days}`, createdAt: daysAgo(days), reason: 'scheduled', verification: {}, ...more });
const prune = (finished: readonly KeptBackup[]) => prunable({ finished, unfinished: [] }, now);

it('keeps seven days, four weeks and twelve months of nightly backups', () => {
  const nightly = Array.from({ length: 800 }, (_, days) => backup(days));
  const kept = nightly.length - prune(nightly).length;
  expect(prune(nightly)).not.toContain('bak-0');
  expect(kept).toBeGreaterThanOrEqual(12 + 6);
  expect(kept).toBeLessThanOrEqual(7 + 4 + 12);
});

it('prefers a verified backup of the day to a newer one that is not', () => {
  const verified = backup(0.2);
  const newer: KeptBackup = { backupId: 'bak-new', createdAt: daysAgo(0.1), reason: 'on-demand' };
  expect(prune([newer, verified])).toEqual(['bak-new']);
});

it('keeps the newest of a day of which none is verified', () => {
  const unverified = (days: number) => backup(days, { verification: undefined });
  expect(prune([backup(0), unverified(1.1), unverified(1.2)])).toEqual(['bak-1.2']);
});

it('keeps one of each week, which begins on Monday', () => {
  const policy = { ...defaultRetention, daily: 0, monthly: 0, weekly: 2 };
  const [monday, sunday, mondayBefore, sundayBefore] = ['2026-06-15', '2026-06-14', '2026-06-08', '2026-06-07'].map((day): KeptBackup => ({ ...backup(0), backupId: day, createdAt: `${day}T02:00:00.000Z` }));
  const finished = [monday, sunday, mondayBefore, sundayBefore].flatMap((one) => one ?? []);
  expect(prunable({ finished, unfinished: [] }, now, policy)).toEqual(['2026-06-08', '2026-06-07']);
});

it('keeps a farewell until it expires, and what was taken before a restore for a week', () => {
  expect(prune([backup(89, { reason: 'farewell' })])).toEqual([]);
  expect(prune([backup(0), backup(91, { reason: 'farewell' })])).toEqual(['bak-91']);
  const recent = [backup(0), ...[1, 2, 3, 4, 5, 6].map((days) => backup(days)), backup(6.1, { reason: 'before-restore', verification: undefined })];
  expect(prune(recent)).not.toContain('bak-6.1');
});

it('lets what was taken before a restore take no other backup’s place', () => {
  const lastNight = backup(0.4);
  const before = { ...backup(0.2, { reason: 'before-restore' }), backupId: 'bak-before' };
  expect(prune([before, lastNight, backup(1.4)])).toEqual([]);
  expect(prune([{ ...before, createdAt: daysAgo(8) }, lastNight])).toEqual(['bak-before']);
});

it('gives up what was never finished after a week, not before', () => {
  const unfinished = [1, 8].map((days) => ({ backupId: `bak-${days}`, startedAt: daysAgo(days) }));
  expect(prunable({ finished: [], unfinished: [...unfinished, { backupId: 'bak-x', startedAt: undefined }] }, now)).toEqual(['bak-8']);
});

it('never deletes the newest verified backup, whatever there is', () => {
  const anyBackup = fc.record({ days: fc.integer({ min: 0, max: 3_000 }), isVerified: fc.boolean(), reason: fc.constantFrom('scheduled', 'on-demand', 'before-restore') });
  fc.assert(
    fc.property(fc.uniqueArray(anyBackup, { selector: ({ days }) => days, maxLength: 60 }), (backups) => {
      const finished = backups.map(({ days, isVerified, reason }): KeptBackup => backup(days, { reason, verification: isVerified ? {} : undefined }));
      const newest = finished.filter(({ verification }) => verification !== undefined).sort((a, b) => b.createdAt.localeCompare(a.createdAt))[0];
      const gone = prune(finished);
      expect(gone).not.toContain(newest?.backupId);
      expect(finished.length - gone.length).toBeLessThanOrEqual(defaultRetention.daily + defaultRetention.weekly + defaultRetention.monthly + defaultRetention.beforeRestoreDays + 2);
    }),
  );
});

it('deletes all of a tenant that has left with its newest, and nothing before', () => {
  const left = (newest: number) => prunable({ finished: [backup(newest, { reason: 'farewell' }), backup(newest + 1), backup(newest + 300)], unfinished: [], hasLeft: true }, now);
  expect(left(89)).toEqual([]);
  expect(left(91)).toEqual(['bak-91', 'bak-92', 'bak-391']);
});

it('keeps the last verified one of a living tenant even when it is a farewell whose time is over', () => {
  expect(prune([backup(95, { reason: 'farewell' })])).toEqual([]);
  expect(prune([backup(1), backup(95, { reason: 'farewell' })])).toEqual(['bak-95']);
});
