import type { ErasurePlan } from '../../src/contracts/erasure';
import { tableKeys } from '../../src/contracts/names';
import { erasedSince, isErased, partitionsOf, statementOf } from '../../src/domain/erasure';

const at = (day: number) => new Date(Date.UTC(2026, 10, day)).toISOString();
const planOf = (subject: ErasurePlan['subject'], ...sessionIds: string[]): ErasurePlan => ({
  tenantId: 'acme',
  operationId: 'erasure_acme_1',
  subject,
  requestedBy: 'ann',
  requestedAt: at(2),
  sessions: sessionIds.map((sessionId) => ({ sessionId, userId: 'ann', createdAt: at(1) })),
  schedules: [],
  found: { table: 7, bucket: 1, memory: 2, live: 1, temporal: 1 },
});
const erased = { sessions: new Set(['ses-1']), users: new Set(['ann']) };

it.each(partitionsOf('ses-1'))('leaves out what stands in %s, and not what stands in the partition of another session', (pk) => {
  expect(isErased('table', { pk, sk: 'x' }, erased)).toBe(true);
  expect(isErased('table', { pk: `${pk}0`, sk: 'x' }, erased)).toBe(false);
});

/** A new kind of partition that is a session's must be known to erasures. */
it('knows every partition that a session has', () => {
  const ofSession = Object.values(tableKeys).filter((make) => /^\(sessionId\)/.test(make.toString())) as ((sessionId: string) => string)[];
  expect(ofSession.length).toBeGreaterThan(6);
  expect(partitionsOf('ses-1')).toEqual(expect.arrayContaining(ofSession.map((make) => make('ses-1'))));
});

it.each([
  ['the list of sessions', { pk: tableKeys.sessions(), sk: tableKeys.listed(at(1), 'ses-1'), sessionId: 'ses-1' }, true],
  ['the list of a user', { pk: tableKeys.sessionsOf('ann'), sk: tableKeys.listed(at(1), 'ses-1'), sessionId: 'ses-1' }, true],
  ['another in the list of sessions', { pk: tableKeys.sessions(), sk: tableKeys.listed(at(1), 'ses-2'), sessionId: 'ses-2' }, false],
  ['a list of approvals', { pk: tableKeys.approvalList('decided'), sk: 'x', sessionId: 'ses-1' }, true],
  ['sessions that wait for budget', { pk: tableKeys.outOfBudget(), sk: 'ses-1' }, true],
  ['sessions whose usage is counted', { pk: tableKeys.openSessions(), sk: 'ses-1' }, true],
  ["the user's schedule", { pk: tableKeys.agentSchedules(), sk: 'morning', userId: 'ann' }, true],
  ["another's schedule that goes on in a session", { pk: tableKeys.agentSchedules(), sk: 'morning', userId: 'ben', sessionId: 'ses-1' }, false],
  ['a run in the session', { pk: tableKeys.scheduledRuns('morning'), sk: 'x', sessionId: 'ses-1' }, true],
  ['figures of usage', { pk: tableKeys.usage('day'), sk: tableKeys.usageOf('2026-11-01', 'ann', 'm'), userId: 'ann' }, false],
  ['an agent', { pk: tableKeys.agents(), sk: 'support' }, false],
])('decides about %s', (_what, record, isLeftOut) => {
  expect(isErased('table', record, erased)).toBe(isLeftOut);
});

it('leaves out facts of the user alone, and objects of the session alone', () => {
  for (const [namespace, isLeftOut] of [['/users/ann/facts', true], ['/users/ann/preferences', true], ['/users/anna/facts', false], ['/users/ben/facts', false]] as const) expect(isErased('memory', { namespace }, erased)).toBe(isLeftOut);
  for (const [key, isLeftOut] of [['sessions/ses-1/a/b', true], ['sessions/ses-10/a/b', false], ['uploads/ses-1', false]] as const) expect(isErased('objects', { key }, erased)).toBe(isLeftOut);
  expect(isErased('users', { userId: 'ann' }, erased)).toBe(false);
});

it('counts for backups that were begun before it was complete, and for no later ones', () => {
  const listed = [
    { plan: planOf({ sessionId: 'ses-1' }, 'ses-1'), issuedAt: at(3) },
    { plan: planOf({ userId: 'ben' }, 'ses-2', 'ses-3'), issuedAt: at(5) },
    { plan: planOf({ sessionId: 'ses-4' }, 'ses-4') },
  ];
  const idsSince = (takenAt: string) => [...erasedSince(listed, takenAt, () => []).sessions];
  expect(idsSince(at(1))).toEqual(['ses-1', 'ses-2', 'ses-3', 'ses-4']);
  expect(idsSince(at(4))).toEqual(['ses-2', 'ses-3', 'ses-4']);
  expect(idsSince(at(6))).toEqual(['ses-4']);
  expect([...erasedSince(listed, at(1), ({ operationId }) => [`${operationId}/ben`]).users]).toEqual(['ben', 'erasure_acme_1/ben']);
  expect([...erasedSince(listed, at(6), () => ['ben']).users]).toEqual([]);
});

it('says what was found before and after, which backups hold it until when, and what is kept and why', () => {
  const places = [{ place: 'table', before: 7, after: 0, call: 'Query', checkedAt: at(3) }] as const;
  const kept = (backupId: string) => ({ backupId, location: `s3://backups/acme/${backupId}/` });
  const complete = { state: 'complete', reason: 'on-demand' } as const;
  const backups = [{ ...kept('bak-1'), ...complete, createdAt: at(1) }, { ...kept('bak-4'), ...complete, createdAt: at(2) }, { ...kept('bak-2'), state: 'damaged' }, { ...kept('bak-3'), state: 'unfinished', startedAt: at(1) }] as const;
  const evidence = { places, backups, issuedAt: at(3) };
  const statement = statementOf({ ...evidence, plan: planOf({ sessionId: 'ses-1' }, 'ses-1') });
  expect(statement).toMatchObject({ subject: { sessionId: 'ses-1' }, sessions: ['ses-1'], places, backups: [{ backupId: 'bak-4', takenAt: at(2) }, { backupId: 'bak-1', takenAt: at(1) }] });
  // Its rule keeps one of each of twelve months: longer than a year, and the month that has begun.
  expect(statement.backups.map(({ expiresAt }) => expiresAt)).toEqual([at(2 + 13 * 31), at(1 + 13 * 31)]);
  expect(statement.kept.slice(-2).map(({ what }) => what)).toEqual(['backup bak-2, whose manifest is damaged', 'backup bak-3, which was never finished']);
  expect(statement.kept.filter(({ what }) => what.startsWith('backup '))).toHaveLength(2);
  const ofUser = statementOf({ ...evidence, plan: planOf({ userId: 'ann' }, 'ses-1') });
  expect(ofUser.kept.length).toBeGreaterThan(statement.kept.length);
});
