import { budgetCounters, tableKeys } from '../../src/contracts/names';
import { invariantOf, mapTableUsers } from '../../src/domain/backup-content';

const ids: Readonly<Record<string, string>> = { 'old-ann': 'new-ann' };
const map = (userId: string): string => ids[userId] ?? userId;
const usage = (userId: string) => ({ pk: tableKeys.usage('hour'), sk: tableKeys.usageOf('2026-11-24T13', userId, 'model#1'), period: '2026-11-24T13', userId, modelId: 'model#1', inputTokens: 5 });

it("names users anew in a usage figure's key, and nowhere else in it", () => {
  expect(mapTableUsers(usage('old-ann'), map)).toEqual(usage('new-ann'));
  expect(mapTableUsers(usage('nobody'), map)).toEqual(usage('nobody'));
});

it("names users anew in what a user's day has cost, and leaves days of the tenant and sessions alone", () => {
  const day = (userId: string) => ({ pk: tableKeys.budget(budgetCounters.userDay(userId, '2026-11-24T13:00:00.000Z')), sk: tableKeys.budgetCounter(), settled_tokens: 5 });
  expect(mapTableUsers(day('old-ann'), map)).toEqual(day('new-ann'));
  for (const counter of [budgetCounters.tenantDay('2026-11-24'), budgetCounters.tenantMonth('2026-11-24'), budgetCounters.session('old-ann')]) {
    const other = { pk: tableKeys.budget(counter), sk: tableKeys.budgetCounter() };
    expect(mapTableUsers(other, map)).toEqual(other);
  }
});

it('names them anew in lists of sessions, records and messages', () => {
  expect(mapTableUsers({ pk: tableKeys.sessionsOf('old-ann'), sk: 'a#b', userId: 'old-ann', message: { userId: 'old-ann', text: 'x' } }, map)).toEqual({
    pk: tableKeys.sessionsOf('new-ann'),
    sk: 'a#b',
    userId: 'new-ann',
    message: { userId: 'new-ann', text: 'x' },
  });
  const open = { pk: tableKeys.openSessions(), sk: 'old-ann#old-ann#x', userId: 'old-ann' };
  expect(mapTableUsers(open, map)).toEqual({ ...open, userId: 'new-ann' });
});

it('takes figures of one person under two ids for the same', () => {
  const email = (ids: readonly string[]) => (userId: string) => (ids.includes(userId) ? 'ann@example.com' : userId);
  const before = invariantOf('table', usage('old-ann'), { tenantId: 'acme', map: email(['old-ann']) });
  expect(invariantOf('table', usage('new-ann'), { tenantId: 'other', map: email(['new-ann']) })).toEqual(before);
});
