import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '../../src/contracts/errors';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import { tiersWith } from '../../src/domain/tiers';
import type { Thing } from '../../src/ports/places';
import { newTenant, signUp } from './accounts';
import { calling, callingAgents, model, ofType, taskFor } from './calling-agents';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

jest.setTimeout(60_000);

/** Of what is under way, so little that it is used up soon. */
const tiers = tiersWith({
  standard: { userShare: 1 },
  'one-turn': { turns: 1 },
  'one-session': { sessions: 1 },
  'one-of-two': { userShare: 0.5, turns: 2 },
  two: { turns: 2, sessions: 2 },
});

let api: RunningApi;
beforeAll(async () => {
  api = await startApi({ tiers });
});
afterAll(() => api.stop());

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A tenant of a tier, whose agent "caller" has the agent "research" as a tool. @param changes - to what its workers work with. */
async function inTier(tier: string, changes: Partial<RunningApi['adapters']> = {}) {
  const tenant = await newTenant();
  await api.adapters.registry.update(tenant.tenantId, { tier });
  const [alice, ann] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
  stops.push(await startWorkers({ ...api.adapters, tiers, ...changes }, [tenant.tenantId]));
  const at = callingAgents(api, tenant, alice, ann);
  const research = await at.makeAgent();
  const caller = await at.makeAgent({ agents: [calling(research, { tool: 'research' })] });
  const isFree = async (thing: Thing, all: number) => {
    const place = { tenantId: tenant.tenantId, thing, userId: alice.userId, id: 'seen' };
    const { taken } = await api.adapters.places.take(place, { all, share: all }, 10_000);
    await api.adapters.places.leave(place);
    return taken;
  };
  const children = async () => (await api.send<{ data: SessionRecord[] }>(`${at.path}/sessions?children=true`, { token: alice.accessToken })).body.data.filter(({ parent }) => parent !== undefined);
  const refOf = (session: string) => ({ tenantId: tenant.tenantId, sessionId: session.split('/').at(-1) ?? '' });
  const cancel = (session: string, turnId: string) => api.send(`${session}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId } });
  return { at, caller, isFree, children, refOf, cancel };
}

/** Begins a turn whose call works until it is released. @returns its session, and that of the call. */
async function working({ at, caller }: Awaited<ReturnType<typeof inTier>>) {
  const [session, task] = [await at.openSession(caller), taskFor()];
  await model.script({ match: task, steps: [{ say: 'one two three', holdAfter: 2 }] });
  const turnId = await at.sayFor(session, [{ name: 'research', task }]);
  const child = await at.childOf(session);
  while ((await model.holding(task)) === 0) await delay(20);
  return { session, task, turnId, child };
}

it.each([
  ['one-turn', 'This tenant may have 1 turns under way at once.'],
  ['one-session', 'This tenant may have 1 sessions at work within a quarter of an hour.'],
  ['one-of-two', 'One user may have 1 turns under way at once.'],
])('is not called where its caller has the last place (%s): the model is told, nothing is opened, and the turn goes on', async (tier, reason) => {
  const { at, caller, children, isFree } = await inTier(tier);
  const session = await at.openSession(caller);
  await at.sayFor(session, [{ name: 'research', task: taskFor() }]);
  const log = await at.logUntilEnd(session);
  expect(ofType(log, 'tool.failed')).toMatchObject([{ tool: 'research', code: 'agent/no-place', message: expect.stringContaining(`did nothing: there is no place for it now. ${reason}`) as string }]);
  expect(log.at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'completed' });
  expect(await children()).toEqual([]);
  while (!(await isFree('turns', 1))) await delay(20);
  expect(await isFree('sessions', 2)).toBe(true);
});

it('takes places while it works, and gives them back to the next call when it has ended', async () => {
  const tenant = await inTier('two');
  const { at, isFree } = tenant;
  const { session, task } = await working(tenant);
  expect((await at.say(session, 'hello')).body).toMatchObject({ status: 429, code: 'limit/turns' });
  expect(await isFree('sessions', 2)).toBe(false);
  while ((await model.release(task)) === 0) await delay(20);
  expect((await at.logUntilEnd(session)).at(-1)).toMatchObject({ outcome: 'completed' });
  // The end of a turn is told before its place is free.
  while (!(await isFree('turns', 1))) await delay(20);
  const tasks = [taskFor(), taskFor(), taskFor()];
  for (const next of tasks) await model.script({ match: next, steps: [{ say: 'found' }] });
  const text = taskFor();
  await model.script({ match: text, steps: [...tasks.map((next) => ({ calls: [{ name: 'research', input: { task: next } }] })), { say: 'done' }] });
  const { turnId } = (await at.say(session, text)).body;
  const results = (await at.logUntilEnd(session, turnId)).filter((event) => 'turnId' in event && event.turnId === turnId);
  expect(ofType(results, 'tool.failed')).toEqual([]);
  expect(ofType(results, 'tool.completed').map(({ output }) => output)).toEqual(tasks.map(() => ({ answer: 'found' })));
});

it('of two calls side by side that only one place is left for, one is worked on and one is told', async () => {
  const { at, caller } = await inTier('two');
  const [session, tasks] = [await at.openSession(caller), [taskFor(), taskFor()]];
  for (const task of tasks) await model.script({ match: task, steps: [{ say: 'one two three', holdAfter: 1 }] });
  await at.sayFor(session, tasks.map((task) => ({ name: 'research', task })));
  await at.logUntil(session, ({ type }) => type === 'tool.failed');
  const released = async () => (await Promise.all(tasks.map((task) => model.release(task)))).some((count) => count > 0);
  while (!(await released())) await delay(20);
  const log = await at.logUntilEnd(session);
  expect([ofType(log, 'tool.completed').length, ofType(log, 'tool.failed').map(({ code }) => code)]).toEqual([1, ['agent/no-place']]);
});

it.each<[string, (tenant: Awaited<ReturnType<typeof inTier>>, at: Awaited<ReturnType<typeof working>>) => Promise<unknown>, number]>([
  ['its caller is cancelled', ({ cancel }, { session, turnId }) => cancel(session, turnId), 1],
  ['its workflow is terminated', ({ refOf }, { child }) => api.adapters.sessionWorkflows.terminate(refOf(child)), 1],
  // What holds the place of the caller itself then is time alone.
  ['the workflow of its caller is terminated', ({ refOf }, { session }) => api.adapters.sessionWorkflows.terminate(refOf(session)), 2],
])('gives its places back when %s', async (_when, end, places) => {
  const tenant = await inTier('two');
  const at = await working(tenant);
  expect([await tenant.isFree('turns', 2), await tenant.isFree('sessions', 2)]).toEqual([false, false]);
  await end(tenant, at);
  while (!(await tenant.isFree('turns', places))) await delay(20);
  while (!(await tenant.isFree('sessions', 2))) await delay(20);
});

it('has one place however often its session is opened', async () => {
  let attempts = 0;
  const { messages } = api.adapters;
  const put: typeof messages.put = async (...message) => {
    attempts += 1;
    // Behind its effect, and before it.
    if (attempts !== 2) await messages.put(...message);
    if (attempts < 3) throw new DomainError('dependency/unavailable', 'The table did not answer.');
  };
  const tenant = await inTier('two', { messages: { ...messages, put } });
  const { task, session } = await working(tenant);
  expect([attempts, await tenant.isFree('turns', 2), await tenant.isFree('turns', 3)]).toEqual([3, false, true]);
  while ((await model.release(task)) === 0) await delay(20);
  expect((await tenant.at.logUntilEnd(session)).at(-1)).toMatchObject({ outcome: 'completed' });
  while (!(await tenant.isFree('turns', 1))) await delay(20);
});
