import { MockActivityEnvironment } from '@temporalio/testing';
import { createUsageActivities, type RolledUp } from '../../../src/activities/maintenance/usage';
import { createMetrics } from '../../../src/adapters/aws/metrics';
import { createUsageStore } from '../../../src/adapters/aws/usage-store';
import { DomainError } from '../../../src/contracts/errors';
import { newId } from '../../../src/contracts/ids';
import { batchKeys } from '../../../src/contracts/names';
import type { SessionRef } from '../../../src/contracts/session';
import type { UsageCell } from '../../../src/contracts/usage';
import { sumOf } from '../../../src/domain/usage';
import { access, aws, log, newSession, sessions, standingPlatform, standingTenant } from './tenants';

const usage = createUsageStore({ access });
const activities = createUsageActivities({ sessions, log, usage, metrics: createMetrics(aws) });

let tenantId: string;
beforeAll(standingPlatform);
beforeEach(async () => ({ tenantId } = await standingTenant()));

const rollUp = (): Promise<RolledUp> => new MockActivityEnvironment().run(() => activities.rollUpUsage({ tenantId }));
const everything = { from: '2000', to: '9999' };
const totals = async () => {
  const [hours, days] = await Promise.all([usage.read(tenantId, { period: 'hour', ...everything }), usage.read(tenantId, { period: 'day', ...everything })]);
  expect(sumOf(days)).toEqual(sumOf(hours));
  return { hours, total: sumOf(hours) };
};

async function openSession(userId: string): Promise<SessionRef> {
  const session = newSession(tenantId);
  await sessions.create({ ...session, userId, createdAt: new Date().toISOString() });
  return session;
}

let head = 0;
async function call(session: SessionRef, modelId: string, inputTokens: number, outputTokens: number, agent?: string): Promise<void> {
  const turnId = newId('turn');
  await log.append(session, {
    after: 0,
    key: batchKeys.stepCompleted(turnId, (head += 1)),
    events: [
      { type: 'step.started', turnId, step: 1 },
      { type: 'usage.recorded', turnId, step: 1, modelId, usage: { inputTokens, outputTokens }, costMicroUsd: 0, ...(agent !== undefined && { agent }) },
    ],
  });
}
const close = (session: SessionRef) => log.append(session, { after: 0, key: batchKeys.sessionClosed(), events: [{ type: 'session.closed' }] });

it('adds up what was used, by hour, day, user and model', async () => {
  const [anns, bobs] = [await openSession('ann'), await openSession('bob')];
  await call(anns, 'large', 10, 1);
  await call(anns, 'large', 20, 2);
  await call(anns, 'small', 5, 5);
  await call(bobs, 'small', 1, 1);
  expect(await rollUp()).toEqual({ sessions: 2, modelCalls: 4 });
  const { hours, total } = await totals();
  expect(total).toEqual({ inputTokens: 36, outputTokens: 9, modelCalls: 4 });
  // The hour may have turned meanwhile.
  const of = (userId: string, modelId: string) => sumOf(hours.filter((cell) => cell.userId === userId && cell.modelId === modelId));
  expect(of('ann', 'large')).toEqual({ inputTokens: 30, outputTokens: 3, modelCalls: 2 });
  expect(of('ann', 'small')).toEqual({ inputTokens: 5, outputTokens: 5, modelCalls: 1 });
  expect(of('bob', 'small')).toEqual({ inputTokens: 1, outputTokens: 1, modelCalls: 1 });
});

it('counts what agents with a name used under that name', async () => {
  const session = await openSession('ann');
  await call(session, 'large', 10, 1, 'support');
  await call(session, 'large', 5, 1);
  await rollUp();
  const { hours } = await totals();
  expect(sumOf(hours.filter(({ agent }) => agent === 'support'))).toEqual({ inputTokens: 10, outputTokens: 1, modelCalls: 1 });
  expect(sumOf(hours)).toMatchObject({ modelCalls: 2 });
});

it('reads only what came since, and counts nothing twice', async () => {
  const session = await openSession('ann');
  await call(session, 'large', 10, 1);
  await rollUp();
  expect(await rollUp()).toEqual({ sessions: 1, modelCalls: 0 });
  await call(session, 'large', 1, 1);
  await call(await openSession('bob'), 'large', 1, 1);
  expect(await rollUp()).toEqual({ sessions: 2, modelCalls: 2 });
  expect((await totals()).total).toEqual({ inputTokens: 12, outputTokens: 3, modelCalls: 3 });
});

it('counts what a fork begins with where it happened, and nowhere else', async () => {
  const [from, to] = [await openSession('ann'), newSession(tenantId)];
  await call(from, 'large', 10, 1);
  await log.copy(from, to, { upTo: 2 });
  const createdAt = new Date().toISOString();
  await sessions.create({ ...to, userId: 'ann', createdAt, forkedFrom: { sessionId: from.sessionId, turnId: 't', upTo: 2 } });
  await call(to, 'large', 1, 1);
  await rollUp();
  expect((await totals()).total).toEqual({ inputTokens: 11, outputTokens: 2, modelCalls: 2 });
});

it('follows a session to its end, and never again', async () => {
  const session = await openSession('ann');
  await call(session, 'large', 10, 1);
  await close(session);
  expect(await rollUp()).toEqual({ sessions: 1, modelCalls: 1 });
  expect(await rollUp()).toEqual({ sessions: 0, modelCalls: 0 });
  expect((await totals()).total.modelCalls).toBe(1);
});

it('counts each event once when several count at the same time', async () => {
  const opened = await Promise.all(['ann', 'bob', 'cyd'].map(openSession));
  for (const session of opened) for (let count = 0; count < 5; count += 1) await call(session, 'large', 1, 1);
  const runs = await Promise.all([rollUp(), rollUp(), rollUp()]);
  expect(runs.reduce((sum, run) => sum + run.modelCalls, 0)).toBe(15);
  expect((await totals()).total).toEqual({ inputTokens: 15, outputTokens: 15, modelCalls: 15 });
});

it('refuses a count that begins where another has begun before', async () => {
  const session = { tenantId, sessionId: 's' };
  const cell: UsageCell = { period: '2026-11-24T13', userId: 'ann', modelId: 'large', inputTokens: 1, outputTokens: 1, modelCalls: 1 };
  const count = { after: 0, upTo: 3, hours: [cell], days: [{ ...cell, period: '2026-11-24' }] };
  expect(await usage.count(session, count)).toBe(true);
  expect(await usage.count(session, count)).toBe(false);
  expect((await totals()).total.modelCalls).toBe(1);
});

it('takes as many cells at once as it is given at most, and reads a range without its end', async () => {
  const cellAt = (period: string): UsageCell => ({ period, userId: 'ann', modelId: 'anthropic.claude:0', inputTokens: 1, outputTokens: 1, modelCalls: 1 });
  const cells = (stepMs: number, length: number) => Array.from({ length: 49 }, (_, index) => cellAt(new Date(Date.UTC(2026, 10, 1) + index * stepMs).toISOString().slice(0, length)));
  const count = { after: 0, upTo: 49, hours: cells(3_600_000, 13), days: cells(86_400_000, 10) };
  expect(await usage.count({ tenantId, sessionId: 's' }, count)).toBe(true);
  expect(await usage.read(tenantId, { period: 'hour', from: '2026-11-01T05', to: '2026-11-01T07' })).toEqual([cellAt('2026-11-01T05'), cellAt('2026-11-01T06')]);
});

it('counts the others when a session cannot be read, and says so: the figures are as old as before', async () => {
  const [broken, sound] = [await openSession('ann'), await openSession('bob')];
  for (const session of [broken, sound]) await call(session, 'large', 1, 1);
  const read: typeof log.read = (session, range) => (session.sessionId === broken.sessionId ? Promise.reject(new Error('It is damaged.')) : log.read(session, range));
  const failing = createUsageActivities({ sessions, log: { ...log, read }, usage, metrics: createMetrics(aws) });
  await expect(new MockActivityEnvironment().run(() => failing.rollUpUsage({ tenantId }))).rejects.toMatchObject({ message: '1 of 2 sessions cannot be counted.', cause: { message: 'It is damaged.' } });
  expect((await totals()).total.modelCalls).toBe(1);
  expect(await usage.progress(tenantId)).toEqual({ sessionsSince: expect.any(String) as string });
  const before = new Date().toISOString();
  expect(await rollUp()).toEqual({ sessions: 2, modelCalls: 1 });
  const { rolledUpAt = '' } = await usage.progress(tenantId);
  expect(rolledUpAt >= before).toBe(true);
});

it.each<[string, readonly Error[], string]>([
  ['with the code of what is wrong', [new DomainError('dependency/denied', 'KMS refuses Decrypt.')], 'dependency/denied'],
  ['as what can be tried again, while one of them can', [new DomainError('session/closed', 'no'), new DomainError('dependency/unavailable', 'DynamoDB cannot be reached.')], 'dependency/unavailable'],
])('says that sessions cannot be counted %s', async (_how, failures, code) => {
  const remaining = [...failures];
  for (const userId of ['ann', 'bob'].slice(0, failures.length)) await call(await openSession(userId), 'large', 1, 1);
  const failing = createUsageActivities({ sessions, log: { ...log, read: () => Promise.reject(remaining.shift() ?? new Error('asked once too often')) }, usage, metrics: createMetrics(aws) });
  const [n, told] = [failures.length, failures.at(-1)?.message];
  await expect(new MockActivityEnvironment().run(() => failing.rollUpUsage({ tenantId }))).rejects.toMatchObject({ code, message: `${n} of ${n} sessions cannot be counted. ${told}` });
});
