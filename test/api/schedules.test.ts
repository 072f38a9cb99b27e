import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createScheduledRunActivities } from '../../src/activities/scheduled';
import type { SessionEvent } from '../../src/contracts/events';
import { derivedId } from '../../src/contracts/ids';
import { groups, workflowIds } from '../../src/contracts/names';
import type { ScheduledRun } from '../../src/contracts/schedule';
import type { SessionRecord } from '../../src/contracts/session';
import { AgentConfig, type ServedTenant } from '../../src/contracts/tenant';
import { definitionOf, placeLimits } from '../../src/domain/tiers';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp } from './accounts';
import { type Answer, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

interface Shown {
  readonly name: string;
  readonly state: string;
  readonly note?: string;
  readonly nextRunAt?: string;
  readonly prompt?: string;
  readonly userId: string;
  readonly code?: string;
  readonly detail?: string;
}

jest.setTimeout(60_000);

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let bob: Account;
let administrator: Account;

beforeAll(async () => {
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, bob, administrator] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
  await api.adapters.agents.create(tenant.tenantId, { name: 'support' }, { settings: AgentConfig.parse({}), by: administrator.userId, requestId: 'pub-1' });
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const path = (rest = '') => `/api/v1/tenants/${tenant.tenantId}/schedules${rest}`;
const newName = () => `s-${randomUUID()}`;
const daily = { cron: '30 7 * * 1-5', timeZone: 'Europe/Berlin' };

type Send = { readonly by?: Account; readonly key?: string };
const send = <Body = Shown>(method: string, rest: string, body?: object, { by = alice, key }: Send = {}): Promise<Answer<Body>> =>
  api.send<Body>(path(rest), { method, token: by.accessToken, body, ...(key !== undefined && { headers: { 'idempotency-key': key } }) });
const create = (body: object, more?: Send) => send('POST', '', { name: newName(), prompt: 'What is new?', times: daily, ...body }, more);
const made = async (body: object = {}, more?: Send): Promise<string> => (await create(body, more)).body.name;

async function ended(name: string, runId: string): Promise<ScheduledRun> {
  for (;;) {
    const { data } = (await send<{ data: ScheduledRun[] }>('GET', `/${name}/runs`)).body;
    const run = data.find((one) => one.runId === runId);
    if (run && run.outcome !== 'running') return run;
    await delay(100);
  }
}

const run = async (name: string, more?: Send) => (await send<ScheduledRun>('POST', `/${name}/runs`, {}, more)).body;
const sessionOf = async ({ sessionId }: ScheduledRun) => (await api.send<SessionRecord & { status: { state: string } }>(`/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId ?? ''}`, { token: alice.accessToken })).body;

it('is made once, shown with its next run to who made it, and with its prompt', async () => {
  const [name, key] = [newName(), randomUUID()];
  const first = await create({ name, agent: 'support@1' }, { key });
  expect(first).toMatchObject({ status: 201, body: { name, state: 'active', agent: 'support@1', userId: alice.userId, times: daily, nextRunAt: expect.stringMatching(/T0[56]:30:/) as unknown } });
  expect(first.headers.get('location')).toBe(path(`/${name}`));
  expect((await create({ name, agent: 'support@1' }, { key })).body).toMatchObject({ name, createdAt: (first.body as unknown as { createdAt: string }).createdAt });
  expect((await create({ name }, { key: randomUUID() })).body).toMatchObject({ status: 409, code: 'schedule/exists' });
  expect((await send('GET', `/${name}`)).body).toMatchObject({ name, prompt: 'What is new?' });
  const { data } = (await send<{ data: Shown[] }>('GET', '')).body;
  expect(data.find((one) => one.name === name)).not.toHaveProperty('prompt');
});

it('is made by one request alone under its key, and stays as it is when another one comes', async () => {
  const [name, key] = [newName(), randomUUID()];
  const asked = { name, agent: 'support@1' };
  expect((await create(asked, { key })).status).toBe(201);
  for (const other of [{ prompt: 'What is old?' }, { agent: 'support' }, { times: { everySeconds: 900 } }])
    expect((await create({ ...asked, ...other }, { key })).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });
  await send('PUT', `/${name}`, { times: { everySeconds: 900 } });
  expect((await create(asked, { key })).body).toMatchObject({ name, times: { everySeconds: 900 } });
  expect((await create({ ...asked, prompt: 'What is old?' }, { key })).body.code).toBe('idempotency/key-reused');
  expect((await send('GET', `/${name}`)).body).toMatchObject({ prompt: 'What is new?' });
});

it.each([
  ['a cron that is none', { times: { cron: '61 * * * *' } }, 422, 'schedule/invalid'],
  ['a time zone there is none of', { times: { ...daily, timeZone: 'Mars/Olympus' } }, 422, 'schedule/invalid'],
  ['a time Temporal cannot plan', { times: { at: '9579-02-22T12:18:45-20:42' } }, 422, 'schedule/invalid'],
  ['a time that is past', { times: { at: '2020-01-01T00:00:00Z' } }, 422, 'schedule/invalid'],
  ['runs more often than the tier allows', { times: { everySeconds: 60 } }, 422, 'schedule/too-often'],
  ['an agent there is none of', { agent: 'nobody' }, 404, 'agent/not-found'],
  ['a version there is none of', { agent: 'support@9' }, 404, 'agent/not-found'],
  ['two kinds of times', { times: { everySeconds: 600, cron: '* * * * *' } }, 400, 'request/malformed'],
  ['no words', { prompt: '  ' }, 400, 'request/malformed'],
])('is refused with %s, and nothing stays of it', async (_what, body, status, code) => {
  const name = newName();
  expect((await create({ name, ...body })).body).toMatchObject({ status, code });
  expect((await send('GET', `/${name}`)).status).toBe(404);
});

it('is nobody else\'s: they see nothing of it; an administrator sees it, pauses and deletes it, and does not change what it says', async () => {
  const name = await made();
  for (const [method, rest, body] of [['GET', '', undefined], ['GET', '/runs', undefined], ['PUT', '', { times: daily }], ['POST', '/pause', { reason: 'x' }], ['POST', '/runs', {}], ['DELETE', '', undefined]] as const)
    expect((await send(method, `/${name}${rest}`, body, { by: bob })).body).toMatchObject({ status: 404, code: 'schedule/not-found' });
  expect((await send<{ data: Shown[] }>('GET', '', undefined, { by: bob })).body.data).toEqual([]);
  const by = administrator;
  expect((await send('GET', `/${name}`, undefined, { by })).body).toMatchObject({ userId: alice.userId, prompt: 'What is new?' });
  expect((await send('PUT', `/${name}`, { times: daily, prompt: 'Say something else.' }, { by })).body).toMatchObject({ status: 403, code: 'auth/forbidden' });
  expect((await send('POST', `/${name}/runs`, {}, { by })).body).toMatchObject({ status: 404 });
  expect((await send('POST', `/${name}/pause`, { reason: 'too dear' }, { by })).body).toMatchObject({ state: 'paused', note: `Paused by user ${administrator.userId}: too dear` });
  expect((await send('POST', `/${name}/resume`, {})).body).toMatchObject({ state: 'active', nextRunAt: expect.any(String) as unknown });
  expect((await send('DELETE', `/${name}`, undefined, { by })).status).toBe(204);
  expect((await send('GET', `/${name}`)).status).toBe(404);
  expect(await api.adapters.agentClock.state(tenant.tenantId, name)).toBeUndefined();
});

it('gives the prompt to a session of its own, once for one key, and closes it; a paused one runs by hand, too', async () => {
  const name = await made({ agent: 'support' });
  await send('POST', `/${name}/pause`, { reason: 'an audit' });
  const key = randomUUID();
  const first = await run(name, { key });
  expect(await run(name, { key })).toMatchObject({ runId: first.runId, startedAt: first.startedAt });
  const end = await ended(name, first.runId);
  expect(end).toMatchObject({ outcome: 'completed', agent: { name: 'support', version: 1 }, endedAt: expect.any(String) as unknown });
  const events = (await api.send<{ data: SessionEvent[] }>(`/api/v1/tenants/${tenant.tenantId}/sessions/${end.sessionId ?? ''}/events`, { token: alice.accessToken })).body.data;
  expect(events.flatMap((event) => (event.type === 'turn.started' ? [event.turnId] : []))).toEqual([end.turnId]);
  while ((await sessionOf(end)).closedAt === undefined) await delay(100);
  expect(await sessionOf(end)).toMatchObject({ userId: alice.userId, agent: { name: 'support', version: 1 } });
  expect((await send<{ data: ScheduledRun[] }>('GET', `/${name}/runs`)).body.data).toHaveLength(1);
});

it('has ended when its one time has come, though a run that was missed might still be made up for', async () => {
  const once = () => made({ times: { at: new Date(Date.now() + 3_000).toISOString() }, jitterSeconds: 0, catchUpSeconds: 86_400 });
  const [name, rests] = await Promise.all([once(), once()]);
  await send('POST', `/${rests}/pause`, { reason: 'an audit' });
  const states = () => Promise.all([name, rests].map(async (one) => (await send('GET', `/${one}`)).body.state));
  expect(await states()).toEqual(['active', 'paused']);
  while ((await send<{ data: ScheduledRun[] }>('GET', `/${name}/runs`)).body.data.length === 0) await delay(100);
  expect(await states()).toEqual(['ended', 'paused']);
});

it('goes on in the session it names, with the prompt as it was last changed', async () => {
  const sessionId = `daily-${randomUUID()}`;
  const name = await made({ sessionId, prompt: 'Store my preference: color=blue' });
  const first = await ended(name, (await run(name)).runId);
  expect((await send('PUT', `/${name}`, { times: { everySeconds: 900 }, sessionId, prompt: 'Calculate 1 + 1' })).body).toMatchObject({ times: { everySeconds: 900 } });
  const second = await ended(name, (await run(name)).runId);
  expect([first, second]).toMatchObject([{ outcome: 'completed', sessionId }, { outcome: 'completed', sessionId }]);
  expect(await sessionOf(second)).toMatchObject({ status: { state: 'idle', turnCount: 2 } });
  const texts = await Promise.all([first, second].map(({ turnId = '' }) => api.adapters.messages.get({ tenantId: tenant.tenantId, sessionId }, turnId)));
  expect(texts.map(({ text }) => text)).toEqual(['Store my preference: color=blue', 'Calculate 1 + 1']);
  expect((await create({ sessionId }, { by: bob })).body).toMatchObject({ status: 404, code: 'session/not-found' });
  expect((await create({ sessionId, agent: 'support' })).body).toMatchObject({ status: 409, code: 'session/other-agent' });
});

it('speaks for nobody who may not speak any more: the run says so, and there is no session', async () => {
  const eve = await signUp(tenant, [groups.members]);
  const name = await made({}, { by: eve });
  const found = await api.adapters.users.get(tenant.infrastructure.userPoolId, eve.userId);
  if (!found) throw new Error('She is there.');
  await api.adapters.users.setGroups(tenant.infrastructure.userPoolId, found, { of: Object.values(groups), in: [groups.auditors] });
  const { runId } = await run(name, { by: eve });
  for (;;) {
    const { runs } = await api.adapters.agentSchedules.runs(tenant.tenantId, name, { limit: 1 });
    if (runs[0] && runs[0].outcome !== 'running') {
      expect(runs).toMatchObject([{ runId, outcome: 'refused', code: 'schedule/owner-refused', message: 'The roles of the user who made it do not allow to speak with agents any more.' }]);
      expect(runs[0]).not.toHaveProperty('sessionId');
      return;
    }
    await delay(100);
  }
});

const workOf = (name: string, runId: string) => api.adapters.temporalClient.workflow.getHandle(workflowIds.scheduledRunByHand(tenant.tenantId, name, runId));
const eventsOf = async ({ sessionId }: ScheduledRun) =>
  (await api.send<{ data: SessionEvent[] }>(`/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId ?? ''}/events`, { token: alice.accessToken })).body.data;

it.each<[string, (name: string, run: ScheduledRun) => Promise<unknown>]>([
  ['by its user, who stops the turn', (_name, { sessionId, turnId }) => api.send(`/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId ?? ''}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId } })],
  ['by an operator, who cancels its workflow', (name, { runId }) => workOf(name, runId).cancel()],
])('is cancelled while it works %s: model and turn stop, the run says so, and the schedule goes on', async (_whom, cancel) => {
  const prompt = `wait ${randomUUID()}`;
  await model.script({ match: prompt, steps: [{ say: 'one two three', holdAfter: 1 }] });
  const name = await made({ prompt });
  const { runId } = await run(name);
  while ((await model.holding(prompt)) === 0) await delay(20);
  let working: ScheduledRun | undefined;
  while (working?.turnId === undefined) [working] = (await send<{ data: ScheduledRun[] }>('GET', `/${name}/runs`)).body.data;
  expect(working).toMatchObject({ runId, outcome: 'running' });
  await cancel(name, working);
  const end = await ended(name, runId);
  expect(end).toMatchObject({ outcome: 'cancelled', sessionId: working.sessionId, turnId: working.turnId, endedAt: expect.any(String) as unknown });
  expect(await model.holding(prompt)).toBe(0);
  expect((await eventsOf(end)).filter(({ type }) => type === 'turn.completed')).toMatchObject([{ turnId: working.turnId, outcome: 'cancelled' }]);
  while ((await sessionOf(end)).closedAt === undefined) await delay(100);
  expect((await send('GET', `/${name}`)).body).toMatchObject({ state: 'active', nextRunAt: expect.any(String) as unknown });
  await model.script({ match: prompt, steps: [{ say: 'here I am' }] });
  expect(await ended(name, (await run(name)).runId)).toMatchObject({ outcome: 'completed' });
});

it('has no more room than messages have: it begins when there is a place', async () => {
  const limits = placeLimits(definitionOf(api.deps.tiers, tenant.tier), 'turns');
  const held = Array.from({ length: limits.share }, (_none, index) => ({ tenantId: tenant.tenantId, thing: 'turns' as const, userId: alice.userId, id: `held-${index}` }));
  for (const place of held) expect(await api.adapters.places.take(place, limits, 600_000)).toMatchObject({ taken: true });
  const name = await made();
  const { runId } = await run(name);
  const refusal = async () => (await workOf(name, runId).describe()).raw.pendingActivities?.[0]?.lastFailure?.applicationFailureInfo?.type;
  let seen = await refusal();
  for (; typeof seen !== 'string'; seen = await refusal()) await delay(50);
  expect(seen).toBe('limit/turns');
  for (const place of held) await api.adapters.places.leave(place);
  expect(await ended(name, runId)).toMatchObject({ outcome: 'completed' });
});

it('has one session and one turn however often a worker begins it', async () => {
  const name = await made();
  const ref = { tenantId: tenant.tenantId, schedule: name, runId: `run-${randomUUID()}`, startedAt: new Date().toISOString() };
  const activities = createScheduledRunActivities(api.adapters);
  const first = await activities.beginRun(ref);
  expect(first).toMatchObject({ turn: { isOwn: true } });
  expect(await activities.beginRun(ref)).toEqual(first);
  const { data } = (await send<{ data: ScheduledRun[] }>('GET', `/${name}/runs`)).body;
  expect(data).toMatchObject([{ runId: ref.runId, outcome: 'running' }]);
  let events: SessionEvent[] = [];
  while (!events.some(({ type }) => type === 'turn.completed')) events = await eventsOf(data[0] as ScheduledRun);
  expect(events.filter(({ type }) => type === 'turn.started')).toHaveLength(1);
});

it('leaves no session open that it could say nothing in', async () => {
  const schedule = await made();
  const ref = { tenantId: tenant.tenantId, schedule, runId: `run-${randomUUID()}`, startedAt: new Date().toISOString() };
  const sessionId = derivedId('session', tenant.tenantId, schedule, ref.runId);
  await api.adapters.sessions.create({ tenantId: tenant.tenantId, sessionId, userId: alice.userId, createdAt: ref.startedAt });
  await createScheduledRunActivities(api.adapters).endRun({ ...ref, settled: { outcome: 'refused', code: 'limit/turns' } });
  while ((await sessionOf({ sessionId } as ScheduledRun)).closedAt === undefined) await delay(100);
  expect((await send<{ data: ScheduledRun[] }>('GET', `/${schedule}/runs`)).body.data).toMatchObject([{ runId: ref.runId, outcome: 'refused' }]);
});

it('is one of so many that the tier allows', async () => {
  const limited = await startApi({ tiers: { ...api.deps.tiers, standard: { ...api.deps.tiers['standard'], schedules: 0 } as never } });
  try {
    const another = await signUp(tenant, [groups.members]);
    const post = (name: string) => limited.send<Shown>(path(), { method: 'POST', token: another.accessToken, body: { name, prompt: 'x', times: daily } });
    expect((await post(newName())).body).toMatchObject({ status: 409, code: 'schedule/too-many', detail: 'This tenant may have 0 schedules: delete one first.' });
  } finally {
    await limited.stop();
  }
});
