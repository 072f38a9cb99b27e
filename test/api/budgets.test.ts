import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createLifecycleActivities } from '../../src/activities/lifecycle';
import { createSessionActivities } from '../../src/activities/session';
import type { SessionStepDeps } from '../../src/activities/session/deps';
import type { ThinkInput } from '../../src/activities/session/think';
import type { BudgetCounter, Budgets } from '../../src/contracts/budget';
import { createBedrockModel } from '../../src/adapters/aws/bedrock-model';
import { DomainError } from '../../src/contracts/errors';
import type { LiveEntry } from '../../src/contracts/events';
import { budgetCounters, groups } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { AgentConfig, type ServedTenant } from '../../src/contracts/tenant';
import type { Thought } from '../../src/domain/session';
import { modelControl } from '../../src/local/model/control';
import type { AppendInput } from '../../src/ports/session-store';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** What becomes of turns that have not enough budget, and what each attempt at a step is counted as. */

const endpoint = process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '';
const model = modelControl(endpoint);

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let admin: Account;
let operator: Account;

beforeAll(async () => {
  process.env['TIERS'] = '{"penniless":{"budgets":{"session":{"modelCalls":0}}}}';
  process.env['MODEL_CONTEXTS'] = '{"away":{"tokens":4000,"compactAt":0.5}}';
  process.env['MODEL_PRICES'] = '{"cheap":{"inputMicroUsdPerMillion":1,"outputMicroUsdPerMillion":1},"dear":{"inputMicroUsdPerMillion":9000000000,"outputMicroUsdPerMillion":9000000000}}';
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, admin, operator] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators]), signUpOperator()]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  for (const name of ['TIERS', 'MODEL_CONTEXTS', 'MODEL_PRICES']) Reflect.deleteProperty(process.env, name);
  await stopWorkers();
  await api.stop();
});

const pathOf = (what: string) => `/api/v1/tenants/${tenant.tenantId}/${what}`;
const isExhausted = (entry: LiveEntry) => entry.type === 'budget.exhausted' || isTurnEnd(entry);
const follow = async (path: string, request: { method?: string; body?: unknown }, isLast: (entry: LiveEntry) => boolean) =>
  (await readUntil(readEvents(`${api.url}${path}`, { token: alice.accessToken, ...request }), isLast)).at(-1)?.entry;

/** A turn that waits for budget. */
async function waitingTurn(prompt: string): Promise<{ end: () => Promise<LiveEntry | undefined> }> {
  const sessionId = randomUUID();
  const asked = await follow(`/api/v1/tenant/${tenant.tenantId}/agent`, { method: 'POST', body: { prompt, session_id: sessionId } }, isExhausted);
  expect(asked).toMatchObject({ type: 'budget.exhausted' });
  return { end: () => follow(pathOf(`sessions/${sessionId}/events`), {}, isTurnEnd) };
}

async function putConfig(settings: { systemPrompt?: string; budgets?: Budgets }): Promise<void> {
  const { status } = await api.send(pathOf('config'), { method: 'PUT', token: admin.accessToken, body: { ...AgentConfig.parse({}), ...settings } });
  expect(status).toBe(200);
}

async function makeAgent(name: string, settings: Partial<AgentConfig>): Promise<void> {
  expect((await api.send(pathOf('agents'), { method: 'POST', token: admin.accessToken, body: { name, settings } })).status).toBe(201);
}

async function change(what: string, body: object): Promise<void> {
  const { body: begun } = await api.send<Operation>(pathOf(what), { method: 'POST', token: operator.accessToken, body });
  const state = async () => (await api.send<Operation>(`/api/v1/operations/${begun.operationId}`, { token: operator.accessToken })).body.state;
  while ((await state()) === 'running');
  expect(await state()).toBe('completed');
}

describe("a turn that waits for its agent's own budget", () => {
  it('goes on when that is raised, and is for the rest the agent it began as', async () => {
    await putConfig({ systemPrompt: 'You are poor.', budgets: { session: { modelCalls: 1 } } });
    await model.script({ match: 'count for me', steps: [{ calls: [{ name: 'calculator', input: { expression: '1+1' } }] }, { say: 'Two.' }] });
    const { end } = await waitingTurn('count for me');
    await putConfig({ systemPrompt: 'You are rich.', budgets: { session: { modelCalls: 2 } } });
    expect(await end()).toMatchObject({ outcome: 'completed' });
    const last = await model.latestOf(tenant.tenantId);
    expect(JSON.stringify(last?.request.system)).toContain('You are poor.');
  });

  it('goes on when it is taken away by an operator', async () => {
    await putConfig({ budgets: { session: { modelCalls: 0 } } });
    const { end } = await waitingTurn('Hello');
    await change('configuration', { agent: AgentConfig.parse({}) });
    expect(await end()).toMatchObject({ outcome: 'completed' });
  });
});

it("goes on in another tier, when what it waits for is its tenant's", async () => {
  await change('tier', { tier: 'penniless' });
  const { end } = await waitingTurn('Hello');
  await change('tier', { tier: 'standard' });
  expect(await end()).toMatchObject({ outcome: 'completed' });
});

it('keeps no tenant from coming back whose budget is used up: its first conversation says so, and is closed', async () => {
  await putConfig({ budgets: { tenantMonth: { modelCalls: 0 } } });
  const activities = createLifecycleActivities(api.adapters);
  const before = new Set((await api.adapters.sessions.list(tenant.tenantId, { limit: 100 })).sessions.map(({ sessionId }) => sessionId));
  await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(() => activities.holdSmokeTurn({ tenantId: tenant.tenantId, operationId: `op-${randomUUID()}` }));
  const { sessions } = await api.adapters.sessions.list(tenant.tenantId, { limit: 100 });
  const { sessionId = '' } = sessions.find((session) => !before.has(session.sessionId)) ?? {};
  const types = async () => (await api.adapters.log.read({ tenantId: tenant.tenantId, sessionId }, { after: 0 })).map(({ type }) => type);
  while (!(await types()).includes('session.closed'));
  expect(await types()).toEqual(expect.arrayContaining(['budget.exhausted', 'turn.completed']));
  await putConfig({});
});

describe('what an attempt at a step is counted as', () => {
  beforeAll(() => makeAgent('limited', { budgets: { session: { tokens: 1_000_000_000 } } }));

  /** A session at its first turn, and how an attempt at a step of it is made. @param deps - in place of the platform's. */
  async function newTurn(text: string, deps: Partial<SessionStepDeps> = {}) {
    const { messages, log, budgetLedger } = api.adapters;
    const session = { tenantId: tenant.tenantId, sessionId: randomUUID() };
    const [turnId, { userId }] = [randomUUID(), alice];
    await messages.put(session, { turnId, userId, text });
    const activities = createSessionActivities({ ...api.adapters, ...deps });
    /** What an attempt has handed on to the next. */
    let handedOn: unknown;
    const attempt = (number: number) => {
      const environment = new MockActivityEnvironment({ attempt: number, heartbeatDetails: handedOn }, { logger: new DefaultLogger('ERROR') });
      environment.on('heartbeat', (details: unknown) => (handedOn = details));
      return environment.run<[ThinkInput], Thought, typeof activities.think>((given) => activities.think(given), {
        ...session, turnId, userId, step: 1, announced: false, after: 0, historyStart: 0, agent: { name: 'limited', version: 1 },
      });
    };
    const endTurn = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(() => activities.endTurn({ ...session, turnId, announced: false, after: 0, end: { outcome: 'cancelled' } }));
    const types = async () => (await log.read(session, { after: 0 })).map(({ type }) => type);
    const counter = budgetCounters.session(session.sessionId);
    /** Model calls by column, and what of them its log has. */
    const counted = async () => {
      const columns = Object.entries((await budgetLedger.counters(session.tenantId, [counter]))[counter] ?? {}) as [keyof BudgetCounter, BudgetCounter['lost']][];
      const logged = (await log.read(session, { after: 0 })).flatMap(({ type }) => (type === 'usage.recorded' || type === 'usage.wasted' ? [type] : []));
      return { ...Object.fromEntries(columns.flatMap(([column, { modelCalls }]) => (modelCalls > 0 ? [[column, modelCalls]] : []))), logged };
    };
    return { attempt, counted, endTurn, types };
  }

  /** The log, which cannot be written while this says so. */
  const logThat = (fails: (input: AppendInput) => boolean) => ({
    ...api.adapters.log,
    append: (...args: Parameters<typeof api.adapters.log.append>) => (fails(args[1]) ? Promise.reject(new DomainError('dependency/unavailable', 'It is away.')) : api.adapters.log.append(...args)),
  });
  const unavailable = { code: 'dependency/unavailable' };

  it('is nothing when it asked nobody', async () => {
    let isAway = false;
    const { attempt, counted } = await newTurn('nobody is asked', { log: logThat(() => isAway) });
    await model.script({ match: 'nobody is asked', steps: [{ fail: { kind: 'throttling' } }, { say: 'Here.' }] });
    await expect(attempt(1)).rejects.toMatchObject({ code: 'model/throttled' });
    isAway = true;
    for (const number of [2, 3]) await expect(attempt(number)).rejects.toMatchObject(unavailable);
    isAway = false;
    await attempt(4);
    expect(await counted()).toEqual({ settled: 1, logged: ['usage.recorded'] });
  });

  it('is wasted when what it heard of cannot begin in the log', async () => {
    let isAway = true;
    const { attempt, counted, types } = await newTurn('nothing can begin', { log: logThat(() => isAway) });
    await model.script({ match: 'nothing can begin', steps: [{ say: 'one two three', firstTokenMs: 200 }] });
    await expect(attempt(1)).rejects.toMatchObject(unavailable);
    isAway = false;
    await attempt(2);
    expect(await counted()).toEqual({ wasted: 1, settled: 1, logged: ['usage.recorded', 'usage.wasted'] });
    expect(await types()).toEqual(['session.started', 'turn.queued', 'turn.started', 'step.started', 'message.completed', 'usage.recorded', 'turn.completed', 'usage.wasted']);
  });

  it('is wasted when the log refuses its answer, and what it cost is written behind the next one', async () => {
    let isAway = true;
    const { attempt, counted } = await newTurn('refused by the log', { log: logThat(() => isAway) });
    await model.script({ match: 'refused by the log', steps: [{ say: 'one two' }, { say: 'three' }] });
    await expect(attempt(1)).rejects.toMatchObject(unavailable);
    isAway = false;
    await attempt(2);
    expect(await counted()).toEqual({ wasted: 1, settled: 1, logged: ['usage.recorded', 'usage.wasted'] });
  });

  it.each(['another', 'the same'])('is wasted when an attempt beside it has written %s answer', async (which) => {
    const prompt = `beside it ${which}`;
    const { attempt, counted } = await newTurn(prompt);
    await model.script({ match: prompt, steps: [{ say: 'one two', holdAfter: 1 }, { say: which === 'another' ? 'three' : 'one two' }] });
    const first = attempt(1);
    while ((await model.holding(prompt)) < 1);
    const second = await attempt(2);
    await model.release(prompt);
    expect((await first).outcome).toBe(second.outcome);
    // Nobody saw how the first ended when the second took over what it held.
    expect(await counted()).toEqual({ lost: 1, settled: 1, logged: ['usage.recorded', 'usage.wasted'] });
  });

  it('is wasted when its turn has ended meanwhile', async () => {
    const { attempt, counted, endTurn, types } = await newTurn('too late');
    await model.script({ match: 'too late', steps: [{ say: 'one two', holdAfter: 1 }] });
    const answered = attempt(1);
    while ((await model.holding('too late')) < 1 || !(await types()).includes('step.started'));
    await endTurn();
    await model.release('too late');
    await expect(answered).rejects.toMatchObject({ code: 'turn/ended' });
    expect(await counted()).toEqual({ lost: 1, logged: ['usage.wasted'] });
    expect((await types()).slice(-2)).toEqual(['turn.completed', 'usage.wasted']);
  });

  it.each([
    ['keeps silent until its time is up', { say: 'late', firstTokenMs: 1_500 }],
    ['has its connection broken before its first word', { say: 'late', firstTokenMs: 200, fail: { kind: 'disconnect' as const, after: 0 } }],
  ])('is wasted when the model takes the question and %s', async (what, step) => {
    const { attempt, counted } = await newTurn(`it ${what}`, { model: createBedrockModel({ region: 'us-east-1', endpoint, firstEventTimeoutMs: 400 }) });
    await model.script({ match: `it ${what}`, steps: [step] });
    await expect(attempt(1)).rejects.toMatchObject({ code: 'model/stream-broken' });
    expect(await counted()).toEqual({ wasted: 1, logged: ['usage.wasted'] });
  });
});

describe('an agent that falls back on another model', () => {
  const ask = async (prompt: string, sessionId: string, agent: string) => {
    const { body } = await api.send<object>(`/api/v1/tenant/${tenant.tenantId}/agent`, { method: 'POST', token: alice.accessToken, body: { prompt, session_id: sessionId, agent } });
    return body;
  };

  it.each([
    ['has no price', 'nobody.knows'],
    ['costs more than is left', 'dear'],
  ])('asks its own again when the other %s', async (what, fallback) => {
    await makeAgent(fallback.replace('.', '-'), { modelId: 'cheap', fallbackModels: [fallback], budgets: { session: { microUsd: 1_000_000 }, onExhausted: 'end' } });
    await model.script({ match: `the other ${what}`, steps: [{ fail: { kind: 'throttling' } }, { fail: { kind: 'throttling' } }, { say: 'There.' }] });
    expect(await ask(`the other ${what}`, randomUUID(), fallback.replace('.', '-'))).toMatchObject({ outcome: 'completed', answer: 'There.' });
  });

  it('has the other summarise, too, when its own is away', async () => {
    const words = (begin: string) => `${begin} ${'and so on '.repeat(300)}`;
    const sessionId = randomUUID();
    await makeAgent('small', { modelId: 'away', fallbackModels: ['cheap'], systemPrompt: 'Be brief.', tools: ['calculator'] });
    // A model of this file's own: others ask the same server.
    await model.script({ match: ' ', modelId: 'away', repeat: true, steps: [{ fail: { kind: 'unavailable' } }] });
    const log = () => api.adapters.log.read({ tenantId: tenant.tenantId, sessionId }, { after: 0 });
    for (let turn = 1; turn < 8 && !(await log()).some(({ type }) => type === 'history.compacted'); turn += 1) expect(await ask(words(`Number ${turn}`), sessionId, 'small')).toMatchObject({ outcome: 'completed' });
    expect((await log()).find((event) => event.type === 'usage.recorded' && event.purpose === 'compaction')).toMatchObject({ modelId: 'cheap' });
  });
});
