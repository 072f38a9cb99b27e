import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { type ClosedSessions, createStaleSessionActivities } from '../../src/activities/maintenance/stale-sessions';
import type { Problem } from '../../src/api/problem';
import { modelControl } from '../../src/local/model/control';
import type { AgentVersion } from '../../src/contracts/agent';
import { isDelta, parseCursor, type SessionEvent } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, openEvents, readEvents, type Received, readUntil } from './events';
import { type ApiRequest, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

interface AgentAnswer {
  readonly sessionId: string;
  readonly turnId: string;
  readonly answer: string;
  readonly outcome: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  readonly eventsUrl: string;
}
interface Taken {
  readonly turnId: string;
  readonly after: number;
  readonly eventsUrl: string;
}

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

let api: RunningApi;
let impatient: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
/** Nobody else talks to its agent. */
let quiet: ServedTenant;
let alice: Account;
let bob: Account;
let administrator: Account;

beforeAll(async () => {
  [api, impatient, tenant, quiet] = await Promise.all([startApi(), startApi({ answerTimeoutMs: 100 }), newTenant(), newTenant()]);
  [alice, bob, administrator] = await Promise.all([
    signUp(tenant, [groups.members]),
    signUp(tenant, [groups.members]),
    signUp(tenant, [groups.administrators]),
  ]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId, quiet.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await Promise.all([api.stop(), impatient.stop()]);
});

const post = (body: object, headers: Record<string, string> = {}): ApiRequest => ({ method: 'POST', token: alice.accessToken, body, headers });
const agentPath = () => `/api/v1/tenant/${tenant.tenantId}/agent`;
const sessionsPath = () => `/api/v1/tenants/${tenant.tenantId}/sessions`;
const ask = (body: object, headers?: Record<string, string>) => api.send<AgentAnswer & { code?: string }>(agentPath(), post(body, headers));

async function openSession(): Promise<string> {
  const { body } = await api.send<SessionRecord>(sessionsPath(), post({}));
  return `${sessionsPath()}/${body.sessionId}`;
}
async function say(session: string, text: string): Promise<Taken> {
  const { status, body } = await api.send<Taken>(`${session}/messages`, post({ text }));
  expect({ status, body }).toMatchObject({ status: 202 });
  return body;
}
const follow = (path: string, headers: Record<string, string> = {}) => readEvents(api.url + path, { token: alice.accessToken, headers });

/** A message the model begins to answer, and goes on with when told. */
async function heldPrompt(): Promise<{ text: string; release: () => Promise<unknown> }> {
  const text = `hold ${randomUUID()}`;
  await model.script({ match: text, steps: [{ say: 'one two three four', holdAfter: 2 }] });
  return { text, release: () => model.release(text) };
}

describe('the agent endpoint', () => {
  it('answers as JSON', async () => {
    const { status, headers, body } = await ask({ prompt: 'What is 17*23?' });
    expect({ status, body }).toMatchObject({ status: 200, body: { outcome: 'completed' } });
    expect(body.answer).toContain('391');
    expect(body.usage.inputTokens).toBeGreaterThan(0);
    expect(headers.get('x-session-id')).toBe(body.sessionId);
  });

  it('streams the turn to its end, each event with its cursor', async () => {
    const received = await readUntil(readEvents(api.url + agentPath(), post({ prompt: 'What is 6*7?' })), () => false);
    const types = received.map(({ entry }) => entry.type);
    expect(types).toEqual(expect.arrayContaining(['turn.started', 'text.delta', 'tool.completed', 'message.completed', 'usage.recorded']));
    expect(types.at(-1)).toBe('turn.completed');
    // The answer is over within milliseconds, and is written as a whole; its words come one by one all the same.
    const said = received.flatMap(({ entry }) => (entry.type === 'text.delta' ? [entry.text] : []));
    expect(received.flatMap(({ entry }) => (entry.type === 'message.completed' ? [entry.text] : [])).join('')).toBe(said.join(''));
    expect(types.indexOf('text.delta')).toBe(types.lastIndexOf('step.started') + 1);
    for (const { id, entry } of received) expect(id).toBe(isDelta(entry) ? `${entry.afterSeq}.${entry.n}` : String(entry.seq));
  });

  it('goes on with a session', async () => {
    const { body: first } = await ask({ prompt: 'What is 6*7?' });
    const { body: second } = await ask({ prompt: 'What is 6*8?', session_id: first.sessionId });
    expect(second).toMatchObject({ sessionId: first.sessionId, outcome: 'completed' });
    expect(second.turnId).not.toBe(first.turnId);
  });

  it('gives a repeated request the first answer, and refuses another under its key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const { body: first } = await ask({ prompt: 'What is 6*7?' }, key);
    const { body: again } = await ask({ prompt: 'What is 6*7?' }, key);
    expect(again).toEqual(first);
    const { status, body: other } = await ask({ prompt: 'What is 6*8?' }, key);
    expect([status, other.code]).toEqual([422, 'idempotency/key-reused']);
  });

  it("answers a turn that failed with the turn's own problem", async () => {
    const prompt = `refuse ${randomUUID()}`;
    await model.script({ match: prompt, steps: [{ fail: { kind: 'validation' } }] });
    const { status, body } = await ask({ prompt });
    expect([status, body.code]).toEqual([502, 'model/refused']);
  });

  it('says where to read on when the answer takes long', async () => {
    const { text, release } = await heldPrompt();
    const { status, headers, body } = await impatient.send<AgentAnswer>(agentPath(), post({ prompt: text }));
    expect([status, body.outcome, headers.get('location')]).toEqual([202, 'running', body.eventsUrl]);
    await release();
    const received = await readUntil(follow(body.eventsUrl), isTurnEnd);
    expect(received.at(-1)?.entry).toMatchObject({ turnId: body.turnId, outcome: 'completed' });
  });

  it('refuses a message to a busy session when asked to', async () => {
    const { text, release } = await heldPrompt();
    const { body: running } = await impatient.send<AgentAnswer>(agentPath(), post({ prompt: text }));
    const { status, body } = await ask({ prompt: 'And now?', session_id: running.sessionId, on_busy: 'reject' });
    await release();
    expect([status, body.code]).toEqual([409, 'session/busy']);
  });
});

describe('an agent with a name', () => {
  const byAdministrator = (method: string, body?: object, headers: Record<string, string> = {}): ApiRequest => ({ method, token: administrator.accessToken, headers, ...(body && { body }) });
  const agents = (path = '') => `/api/v1/tenants/${tenant.tenantId}/agents${path}`;
  const change = <Body>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object, headers?: Record<string, string>) => api.send<Body>(agents(path), byAdministrator(method, body, headers));
  const read = <Body>(path: string) => api.send<Body>(agents(path), { token: administrator.accessToken });
  const publish = (name: string, modelId: string, more: object = {}, headers?: Record<string, string>) => change<AgentVersion & { code?: string }>('POST', `/${name}/versions`, { settings: { modelId }, ...more }, headers);
  /** The model that answers, which tells one version from another. */
  const modelOf = async (body: object): Promise<{ modelId: string; agent: string | undefined; sessionId: string }> => {
    const { sessionId, turnId } = (await ask({ prompt: 'Hello', ...body })).body;
    const { body: log } = await api.send<{ data: SessionEvent[] }>(`${sessionsPath()}/${sessionId}/events`, { token: alice.accessToken });
    const cost = log.data.find((event) => event.type === 'usage.recorded' && event.turnId === turnId);
    if (cost?.type !== 'usage.recorded') throw new Error('Nobody was asked.');
    return { modelId: cost.modelId, agent: cost.agent, sessionId };
  };

  beforeAll(async () => {
    expect(await change('POST', '', { name: 'support', settings: { modelId: 'model.one' } })).toMatchObject({ status: 201, body: { name: 'support', latestVersion: 1, aliases: { default: 1 } } });
  });

  it('is pinned when a session is opened: new versions and moved aliases are for the sessions after it', async () => {
    const first = await modelOf({ agent: 'support' });
    expect(await publish('support', 'model.two')).toMatchObject({ status: 201, body: { version: 2 } });
    const beforeMove = await modelOf({ agent: 'support' });
    await change('PUT', '/support/aliases/default', { version: 2 });
    const afterMove = await modelOf({ agent: 'support' });
    const older = await modelOf({ agent: 'support@1' });
    const goneOn = await modelOf({ session_id: first.sessionId });
    expect([first, beforeMove, afterMove, older, goneOn].map(({ modelId }) => modelId)).toEqual(['model.one', 'model.one', 'model.two', 'model.one', 'model.one']);
    expect((await api.send<SessionRecord>(`${sessionsPath()}/${afterMove.sessionId}`, { token: alice.accessToken })).body.agent).toEqual({ name: 'support', version: 2 });
    expect([first, older, await modelOf({})].map(({ agent }) => agent)).toEqual(['support', 'support', undefined]);
  });

  it('keeps its session: another agent asks for another one', async () => {
    const { sessionId } = await modelOf({ agent: 'support' });
    expect(await ask({ prompt: 'Hello', session_id: sessionId, agent: 'sales' })).toMatchObject({ status: 409, body: { code: 'session/other-agent' } });
  });

  it('has a session opened for one request alone under its Idempotency-Key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const open = (body: object) => api.send<SessionRecord & { code?: string }>(sessionsPath(), post(body, key));
    const first = await open({ agent: 'support@1' });
    expect([first.status, first.body]).toEqual([201, expect.not.objectContaining({ requestDigest: expect.anything() as unknown })]);
    for (const body of [{}, { agent: 'support' }]) expect((await open(body)).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });
    expect((await open({ agent: 'support@1' })).body).toEqual(first.body);
  });

  it('shows its versions as they were published, newest first, and no two under one number', async () => {
    await change('POST', '', { name: 'sales', settings: { modelId: 'model.one', systemPrompt: 'Sell.' } });
    const raced = await Promise.all(Array.from({ length: 40 }, (_, index) => publish('sales', `model.${index}`)));
    expect(raced.map(({ status }) => status)).toEqual(raced.map(() => 201));
    const { body } = await read<{ data: AgentVersion[] }>('/sales/versions');
    expect(body.data.map(({ version }) => version)).toEqual(Array.from({ length: 41 }, (_, index) => 41 - index));
    expect((await read<{ settings: object }>('/sales/versions/1')).body.settings).toMatchObject({ modelId: 'model.one', systemPrompt: 'Sell.' });
  });

  it('is not called as the one without a name is in usage', async () => {
    expect((await change<Partial<Problem>>('POST', '', { name: 'default', settings: {} })).body).toMatchObject({ status: 422, code: 'request/inconsistent', errors: [{ path: 'body.name' }] });
  });

  it('is published once under one Idempotency-Key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const [first, again] = [await publish('support', 'model.key', {}, key), await publish('support', 'model.key', {}, key)];
    expect([first.status, again.body]).toEqual([201, first.body]);
  });

  it('is made and published by one request alone under its Idempotency-Key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const settings = { systemPrompt: 'Once.' };
    const make = (prompt: string) => change<{ code?: string }>('POST', '', { name: 'keyed', settings: { systemPrompt: prompt } }, key);
    expect([(await make('Once.')).status, (await make('Once.')).status, (await make('Twice.')).body.code]).toEqual([201, 201, 'idempotency/key-reused']);
    // What makes an agent publishes its first version, and is another request than one that publishes the same.
    expect((await publish('keyed', 'model.keyed', { settings }, key)).body.code).toBe('idempotency/key-reused');

    const other = { 'idempotency-key': randomUUID() };
    expect((await publish('keyed', 'model.keyed', {}, other)).status).toBe(201);
    for (const change of [{ alias: 'canary' }, { note: 'Once more.' }, { settings }]) expect(await publish('keyed', 'model.keyed', change, other)).toMatchObject({ status: 422, body: { code: 'idempotency/key-reused' } });
    expect((await read<{ data: AgentVersion[] }>('/keyed/versions')).body.data.map(({ version }) => version)).toEqual([2, 1]);
  });

  it('changes only as it was seen, where that is asked', async () => {
    const etag = (await read('/support')).headers.get('etag') ?? '';
    expect((await publish('support', 'model.seen', { alias: 'canary' }, { 'if-match': etag })).status).toBe(201);
    expect(await publish('support', 'model.unseen', {}, { 'if-match': etag })).toMatchObject({ status: 412, body: { code: 'agent/changed' } });
    expect((await modelOf({ agent: 'support@canary' })).modelId).toBe('model.seen');
  });

  it('gives a request that was carried out its version again, though the agent is no longer as it was seen then', async () => {
    const headers = { 'if-match': (await read('/support')).headers.get('etag') ?? '', 'idempotency-key': randomUUID() };
    const [first, again] = [await publish('support', 'model.again', {}, headers), await publish('support', 'model.again', {}, headers)];
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
  });

  it.each([
    ['a name that is taken', () => change('POST', '', { name: 'support', settings: {} }), 409, 'agent/exists'],
    ['an unknown tool', () => publish('support', 'm', { settings: { tools: ['teleport'] } }), 422, 'config/invalid'],
    ['more than the tier allows', () => publish('support', 'm', { settings: { maxStepsPerTurn: 26 } }), 422, 'tier/not-allowed'],
    ['a rule for a tool it does not have', () => publish('support', 'm', { settings: { tools: ['recall'], approvals: { rules: [{ tool: 'calculator', decision: 'ask' }] } } }), 422, 'agent/invalid'],
    ['an agent that is not there', () => publish('nobody', 'm'), 404, 'agent/not-found'],
    ['an alias of a version to come', () => change('PUT', '/support/aliases/default', { version: 900 }), 404, 'agent/not-found'],
    ['no default alias', () => change('DELETE', '/support/aliases/default'), 422, 'agent/invalid'],
    ['a session with an agent that is not there', () => ask({ prompt: 'Hello', agent: 'nobody@7' }), 404, 'agent/not-found'],
  ])('refuses %s', async (_what, call, status, code) => {
    expect(await call()).toMatchObject({ status, body: { code } });
  });

  it('is archived: no new session has it, and one that has it goes on', async () => {
    await change('POST', '', { name: 'old', settings: { modelId: 'model.old' } });
    const { sessionId } = await modelOf({ agent: 'old' });
    expect((await change<{ archivedAt?: string }>('DELETE', '/old')).body.archivedAt).toBeDefined();
    expect(await ask({ prompt: 'Hello', agent: 'old' })).toMatchObject({ status: 409, body: { code: 'agent/archived' } });
    expect((await modelOf({ session_id: sessionId })).modelId).toBe('model.old');
  });
});

describe('the events of a session', () => {
  it('come in pages, without a gap', async () => {
    const session = await openSession();
    const { eventsUrl } = await say(session, 'What is 6*7?');
    const streamed = (await readUntil(follow(eventsUrl), isTurnEnd)).flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]));
    const paged: SessionEvent[] = [];
    for (let after: string | undefined = '0'; after !== undefined; ) {
      const page: { data: SessionEvent[]; nextCursor?: string } = (
        await api.send<{ data: SessionEvent[]; nextCursor?: string }>(`${session}/events?limit=3&after=${after}`, { token: alice.accessToken })
      ).body;
      paged.push(...page.data);
      after = page.nextCursor;
    }
    expect(paged).toEqual(streamed);
    expect(paged.map(({ seq }) => seq)).toEqual(paged.map((_, index) => index + 1));
  });

  it('go on from any cursor, by header or address, without loss or repetition', async () => {
    const session = await openSession();
    const { eventsUrl } = await say(session, 'What is 6*7?');
    const durable = (await readUntil(follow(eventsUrl), isTurnEnd)).filter(({ entry }) => !isDelta(entry));
    for (const [index, { id = '' }] of durable.slice(0, -1).entries()) {
      const byHeader = await readUntil(follow(`${session}/events?after=0`, { 'last-event-id': id }), isTurnEnd);
      const byAddress = await readUntil(follow(`${session}/events?after=${id}`), isTurnEnd);
      for (const rest of [byHeader, byAddress]) expect(rest.filter(({ entry }) => !isDelta(entry))).toEqual(durable.slice(index + 1));
    }
  });

  it('leave the turn alone when the reader goes away', async () => {
    const session = await openSession();
    const { text, release } = await heldPrompt();
    const { eventsUrl } = await say(session, text);
    await readUntil(follow(eventsUrl), ({ type }) => type === 'text.delta');
    await release();
    expect((await readUntil(follow(eventsUrl), isTurnEnd)).at(-1)?.entry).toMatchObject({ outcome: 'completed' });
  });

  it('end when the process is about to stop', async () => {
    const stopping = new AbortController();
    const leaving = await startApi({ stopping: stopping.signal });
    const session = await openSession();
    const { eventsUrl } = await say(session, 'What is 6*7?');
    const received = [];
    for await (const event of readEvents(leaving.url + eventsUrl, { token: alice.accessToken })) {
      received.push(event);
      if (isTurnEnd(event.entry)) stopping.abort();
    }
    expect(received.at(-1)?.entry.type).toBe('turn.completed');
    await leaving.stop();
  });

  it('are exported as JSON Lines, from any cursor, by those who were not there: from the log alone', async () => {
    const session = await openSession();
    await readUntil(follow((await say(session, 'What is 6*7?')).eventsUrl), isTurnEnd);
    const { body: page } = await api.send<{ data: SessionEvent[] }>(`${session}/events?limit=500`, { token: alice.accessToken });
    // Another process, which remembers nothing of it.
    const exported = async (query: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${impatient.url}${session}/events${query}`, { headers: { authorization: `Bearer ${alice.accessToken}`, ...headers } });
      expect(response.headers.get('content-type')).toContain('application/jsonl');
      return (await response.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as SessionEvent);
    };
    expect(await exported('?format=jsonl')).toEqual(page.data);
    expect(await exported('?after=3', { accept: 'application/jsonl' })).toEqual(page.data.slice(3));
  });

  it('are refused from a cursor that is none', async () => {
    const session = await openSession();
    expect((await api.send(`${session}/events?after=yesterday`, { token: alice.accessToken })).body).toMatchObject({ status: 400, code: 'request/malformed' });
  });

  it.each(['application/json', 'application/jsonl', 'text/event-stream'])('are refused from a cursor behind their end, as %s', async (accept) => {
    const session = await openSession();
    const from = (after: number) => api.send(`${session}/events?after=${after}`, { token: alice.accessToken, headers: { accept } });
    expect((await from(1)).body).toMatchObject({ status: 422, code: 'cursor/unknown' });
    await readUntil(follow((await say(session, 'What is 6*7?')).eventsUrl), isTurnEnd);
    expect((await from(5_000)).body).toMatchObject({ status: 422, code: 'cursor/unknown' });
  });

  it('are no stream for who asks with HEAD, and get an answer', async () => {
    const { status, headers } = await api.send(`${await openSession()}/events`, { method: 'HEAD', token: alice.accessToken, headers: { accept: 'text/event-stream' } });
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  });
});

describe('the words of an answer in whose middle another message is queued', () => {
  const wordsOf = (received: readonly Received[]) => received.flatMap(({ entry }) => (entry.type === 'text.delta' ? [entry.text] : []));
  const eventsOf = (received: readonly Received[]) => received.flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]));

  /** Each place is behind the one before. */
  function expectToGrow(received: readonly Received[]): void {
    const places = received.map(({ id = '' }) => parseCursor(id) ?? { seq: 0, n: 0 });
    expect(places).toEqual(places.toSorted((one, other) => one.seq - other.seq || one.n - other.n));
    expect(new Set(received.map(({ id }) => id)).size).toBe(received.length);
  }

  it('go on behind it, in order and once, for who was there, who comes late, and who comes back', async () => {
    const session = await openSession();
    const { text, release } = await heldPrompt();
    const { eventsUrl, turnId } = await say(session, text);
    const isItsEnd = (entry: Received['entry']) => isTurnEnd(entry) && 'turnId' in entry && entry.turnId === turnId;
    const openFrom = (cursor: string | number) => openEvents(`${api.url}${session}/events?after=${cursor}`, { token: alice.accessToken });
    const [there, leaving] = await Promise.all([openFrom(0), openFrom(0)]);
    await readUntil(follow(eventsUrl), (entry) => entry.type === 'text.delta' && entry.n === 2);
    await say(session, 'What is 6*7?');
    const left = await readUntil(leaving, (entry) => entry.type === 'turn.queued' && entry.turnId !== turnId);
    // The last is of who has read the log alone.
    const cursors = ['0', ...left.map(({ id = '' }) => id), String(left.length - 2)];
    const others = await Promise.all(cursors.map(openFrom));
    // Once each of them has heard of this, it is there: one that comes when the answer is over finds it in the log.
    const { turnId: last } = await say(session, 'What is 6*8?');
    const hearings = others.map((other) => {
      let hear: () => void = () => undefined;
      const isHeard = new Promise<void>((resolve) => (hear = resolve));
      const all = readUntil(other, (entry) => {
        if (entry.type === 'turn.queued' && entry.turnId === last) hear();
        return isItsEnd(entry);
      });
      return { isHeard, all };
    });
    await Promise.all(hearings.map(({ isHeard }) => isHeard));
    await release();

    const whole = await readUntil(there, isItsEnd);
    expect(wordsOf(whole)).toEqual(['one ', 'two ', 'three ', 'four']);
    expect(whole.map(({ entry }) => entry.type)).toEqual(['session.started', 'turn.queued', 'turn.started', 'step.started', 'text.delta', 'text.delta', 'turn.queued', 'turn.queued', 'text.delta', 'text.delta', 'message.completed', 'usage.recorded', 'turn.completed']);
    expectToGrow(whole);
    for (const [index, cursor] of cursors.entries()) {
      const received = (await hearings[index]?.all) ?? [];
      const { seq, n } = parseCursor(cursor) ?? { seq: 0, n: 0 };
      expect([cursor, wordsOf(received)]).toEqual([cursor, wordsOf(whole).slice(n)]);
      expect(eventsOf(received)).toEqual(eventsOf(whole).slice(seq));
      expectToGrow(received);
    }
  });

  it('keep no stream open whose reader waits for the other answer, and was signed out', async () => {
    const watchful = await startApi({ streamCheckMs: 100 });
    const leaving = await signUp(tenant, [groups.members]);
    const sessionId = randomUUID();
    const prompt = `go on ${randomUUID()}`;
    await model.script({ match: prompt, steps: [{ say: 'and '.repeat(2_000), msPerToken: 20 }] });
    const asked = (text: string): ApiRequest => ({ method: 'POST', token: leaving.accessToken, body: { prompt: text, session_id: sessionId } });
    await readUntil(readEvents(watchful.url + agentPath(), asked(prompt)), ({ type }) => type === 'text.delta');
    const waiting = await openEvents(watchful.url + agentPath(), asked('What is 6*7?'));
    await api.send(`/api/v1/tenants/${tenant.tenantId}/users/${leaving.userId}/sign-out`, { method: 'POST', token: administrator.accessToken, body: {} });
    const seen: unknown[] = [];
    for await (const { entry } of waiting) seen.push('code' in entry ? entry.code : entry.type);
    const log = await api.adapters.log.read({ tenantId: tenant.tenantId, sessionId }, { after: 0 });
    expect([seen.at(-1), log.some(({ type }) => type === 'message.completed')]).toEqual(['auth/unauthenticated', false]);
    await api.send(`${sessionsPath()}/${sessionId}/cancel`, { method: 'POST', token: administrator.accessToken, body: {} });
    await watchful.stop();
  });
});

describe('a session', () => {
  it('is opened once under one Idempotency-Key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const [first, again] = [await api.send<SessionRecord>(sessionsPath(), post({}, key)), await api.send<SessionRecord>(sessionsPath(), post({}, key))];
    expect(again.body).toEqual(first.body);
    expect([first.status, first.headers.get('location')]).toEqual([201, `${sessionsPath()}/${first.body.sessionId}`]);
  });

  it('takes a message once under one Idempotency-Key, and no other under it', async () => {
    const session = await openSession();
    const key = { 'idempotency-key': randomUUID() };
    const send = (body: object) => api.send<Taken & { code?: string }>(`${session}/messages`, post(body, key));
    const first = await send({ text: 'What is 6*7?' });
    expect((await send({ text: 'What is 6*7?' })).body).toEqual(first.body);
    for (const other of [{ text: 'What is 6*8?' }, { text: 'What is 6*7?', onBusy: 'interrupt' }]) expect((await send(other)).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });
    await readUntil(follow(first.body.eventsUrl), isTurnEnd);
  });

  it('stops its turn when it is cancelled', async () => {
    const session = await openSession();
    const { text, release } = await heldPrompt();
    const { eventsUrl, turnId } = await say(session, text);
    await readUntil(follow(eventsUrl), ({ type }) => type === 'text.delta');
    const { status, headers } = await api.send(`${session}/cancel`, post({ turnId }));
    expect([status, headers.get('location')]).toEqual([202, session]);
    expect((await readUntil(follow(eventsUrl), isTurnEnd)).at(-1)?.entry).toMatchObject({ turnId, outcome: 'cancelled' });
    await release();
  });

  it('is forked at any turn: the fork knows what was said up to there, and the original stays as it was', async () => {
    const session = await openSession();
    const ended = async (path: string, text: string) => {
      const taken = await say(path, text);
      await readUntil(follow(taken.eventsUrl), ({ type, ...entry }) => type === 'turn.completed' && 'turnId' in entry && entry.turnId === taken.turnId);
      return taken.turnId;
    };
    const first = await ended(session, 'Store my preference: color=blue');
    const second = await ended(session, 'What is 6*7?');
    const eventsOf = async (path: string) => (await api.send<{ data: SessionEvent[] }>(`${path}/events?limit=500`, { token: alice.accessToken })).body.data;
    const before = await eventsOf(session);
    const key = { 'idempotency-key': randomUUID() };
    const forking = (body: object = { turnId: first }) => api.send<{ sessionId: string; code?: string }>(`${session}/fork`, post(body, key));
    const [one, again] = await Promise.all([forking(), forking()]);
    expect([one.status, again.body]).toEqual([201, one.body]);
    expect((await forking({ turnId: second })).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });
    expect((await forking({ turnId: second, sessionId: one.body.sessionId })).body).toMatchObject({ status: 409, code: 'session/exists' });
    const chosen = { turnId: first, sessionId: `chosen-${randomUUID()}` };
    expect((await forking(chosen)).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });

    const fork = `${sessionsPath()}/${one.body.sessionId}`;
    const end = before.findIndex((event) => event.type === 'turn.completed' && event.turnId === first) + 1;
    const forkedAt = await eventsOf(fork);
    expect(forkedAt.slice(0, -1)).toEqual(before.slice(0, end));
    expect(forkedAt.at(-1)).toMatchObject({ type: 'session.forked', from: session.split('/').at(-1), atTurn: first, seq: end + 1 });
    await ended(fork, 'And 6*8?');
    expect(await eventsOf(session)).toEqual(before);
    expect((await eventsOf(fork)).map(({ seq }) => seq)).toEqual((await eventsOf(fork)).map((_event, index) => index + 1));
    expect((await api.send<{ status: object }>(fork, { token: alice.accessToken })).body.status).toMatchObject({ turnCount: 2 });

    const another = { 'idempotency-key': randomUUID() };
    const keyed = (body: object) => api.send<{ sessionId: string; code?: string }>(`${session}/fork`, post(body, another));
    const two = await Promise.all([keyed(chosen), keyed(chosen)]);
    expect(two.map(({ status, body }) => [status, body.sessionId])).toEqual([1, 2].map(() => [201, chosen.sessionId]));
    for (const body of [{ turnId: first }, { ...chosen, sessionId: `other-${randomUUID()}` }]) expect((await keyed(body)).body).toMatchObject({ status: 422, code: 'idempotency/key-reused' });

    const refused = async (body: object) => (await api.send(`${session}/fork`, post(body))).body.code;
    expect(await refused({ turnId: 'turn-none' })).toBe('turn/not-found');
    expect(await refused({ turnId: first, sessionId: session.split('/').at(-1) })).toBe('session/exists');
  });

  it('closes: no further message, its end in the log, and nothing to wait for', async () => {
    const session = await openSession();
    const { headers, body } = await api.send<{ eventsUrl: string }>(`${session}/messages`, post({ text: 'What is 6*7?' }));
    expect(headers.get('location')).toBe(body.eventsUrl);
    expect((await api.send(`${session}/close`, post({}))).headers.get('location')).toBe(session);
    const received = await readUntil(follow(`${session}/events`), () => false);
    expect(received.at(-1)?.entry.type).toBe('session.closed');
    const token = alice.accessToken;
    const after = await api.send(`${session}/events?after=${received.at(-1)?.id ?? ''}`, { token, headers: { accept: 'text/event-stream' } });
    expect(after.status).toBe(204);
    expect((await api.send(`${session}/messages`, post({ text: 'Hello?' }))).body).toMatchObject({ status: 409, code: 'session/closed' });
    expect((await api.send(session, { token })).body).toMatchObject({ status: { state: 'closed', turnCount: 1 } });
  });

  it('closes although nobody has spoken in it', async () => {
    const session = await openSession();
    expect((await api.send(`${session}/close`, post({}))).status).toBe(202);
    expect((await readUntil(follow(`${session}/events`), () => false)).map(({ entry }) => entry.type)).toEqual(['session.closed']);
    expect((await api.send(`${session}/messages`, post({ text: 'Hello?' }))).body).toMatchObject({ status: 409, code: 'session/closed' });
    expect((await api.send(session, { token: alice.accessToken })).body).toMatchObject({ status: { state: 'closed', turnCount: 0 } });
    expect((await api.send(`${session}/close`, post({}))).status).toBe(202);
  });

  it('is listed to its owner and to administrators', async () => {
    const session = await openSession();
    const listed = async ({ accessToken: token }: Account) => {
      const { body } = await api.send<{ data: SessionRecord[] }>(`${sessionsPath()}?limit=200`, { token });
      return body.data.some(({ sessionId }) => session.endsWith(sessionId));
    };
    expect([await listed(alice), await listed(bob), await listed(administrator)]).toEqual([true, false, true]);
  });
});

describe("another user's session", () => {
  const requests: [what: string, suffix: string, request: ApiRequest][] = [
    ['show', '', {}],
    ['events', '/events', {}],
    ['stream', '/events', { headers: { accept: 'text/event-stream' } }],
    ['message', '/messages', { method: 'POST', body: { text: 'Hello' } }],
    ['cancel', '/cancel', { method: 'POST', body: {} }],
    ['close', '/close', { method: 'POST', body: {} }],
  ];

  /** Guarantees that a user cannot even learn which sessions others have. */
  it.each(requests)('answers %s exactly like a missing one', async (_what, suffix, request) => {
    const session = await openSession();
    const foreign = await api.send(session + suffix, { ...request, token: bob.accessToken });
    const missing = await api.send(`${sessionsPath()}/ses-missing${suffix}`, { ...request, token: bob.accessToken });
    expect([foreign.status, foreign.body.code]).toEqual([404, 'session/not-found']);
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...missing.body, requestId: '' });
  });

  it.each([
    ['the agent endpoint', () => agentPath(), (sessionId: string) => ({ body: { prompt: 'Hello', session_id: sessionId } })],
    [
      'the runtime contract',
      () => '/invocations',
      (sessionId: string) => ({
        body: { prompt: 'Hello', tenant_id: tenant.tenantId },
        headers: { 'x-amzn-bedrock-agentcore-runtime-session-id': `${tenant.tenantId}_${sessionId}` },
      }),
    ],
  ])('cannot be entered through %s', async (_what, path, request) => {
    const sessionId = (await openSession()).split('/').at(-1) ?? '';
    const { body } = await api.send(path(), { method: 'POST', token: bob.accessToken, ...request(sessionId) });
    expect(body).toMatchObject({ status: 404, code: 'session/not-found' });
  });

  it('is read, but not written, by an administrator', async () => {
    const session = await openSession();
    const token = administrator.accessToken;
    expect((await api.send(session, { token })).status).toBe(200);
    expect((await api.send(`${session}/messages`, { method: 'POST', token, body: { text: 'Hello' } })).status).toBe(404);
  });
});

describe("AgentCore Runtime's contract", () => {
  const invoke = (body: object, session = `${tenant.tenantId}_${randomUUID()}`) =>
    api.send<AgentAnswer & { code?: string }>('/invocations', post({ tenant_id: tenant.tenantId, ...body }, { 'x-amzn-bedrock-agentcore-runtime-session-id': session }));

  it('answers a prompt in the session of its header', async () => {
    const sessionId = randomUUID();
    const { status, body } = await invoke({ prompt: 'What is 6*7?', user_id: alice.userId }, `${tenant.tenantId}_${sessionId}`);
    expect({ status, body }).toMatchObject({ status: 200, body: { sessionId, outcome: 'completed' } });
    expect(body.answer).toContain('42');
  });

  it('streams', async () => {
    const headers = { 'x-amzn-bedrock-agentcore-runtime-session-id': `${tenant.tenantId}_${randomUUID()}` };
    const received = await readUntil(readEvents(`${api.url}/invocations`, post({ tenant_id: tenant.tenantId, prompt: 'Hello' }, headers)), () => false);
    expect(received.at(-1)?.entry).toMatchObject({ type: 'turn.completed', outcome: 'completed' });
  });

  it('refuses another user than the token names', async () => {
    const { status, body } = await invoke({ prompt: 'Hello', user_id: bob.userId });
    expect([status, body.code]).toEqual([403, 'auth/forbidden']);
  });

  it('refuses a tenant that is not that of its session', async () => {
    const { status, body } = await invoke({ prompt: 'Hello', tenant_id: 'another' });
    expect([status, body.code]).toEqual([422, 'request/inconsistent']);
  });

  it.each(['', 'no-separator', 'acme_', 'acme_a_b'])('refuses the session header "%s"', async (session) => {
    const { status, body } = await invoke({ prompt: 'Hello' }, session);
    expect([status, body.code]).toEqual([400, 'request/malformed']);
  });

  it('is healthy', async () => {
    const { status, body } = await api.send<{ status: string; time_of_last_update: number }>('/ping');
    expect([status, body.status, Number.isInteger(body.time_of_last_update)]).toEqual([200, 'Healthy', true]);
  });
});

describe('a session nobody talks in any more', () => {
  let token: string;
  beforeAll(async () => ({ accessToken: token } = await signUp(quiet, [groups.members])));

  const askQuietly = (body: object) => api.send<AgentAnswer & { code?: string }>(`/api/v1/tenant/${quiet.tenantId}/agent`, { method: 'POST', token, body });
  const ref = (sessionId: string) => ({ tenantId: quiet.tenantId, sessionId });
  const typesOf = async (sessionId: string) => (await api.adapters.log.read(ref(sessionId), { after: 0 })).map(({ type }) => type);

  async function talk(): Promise<{ sessionId: string; lastAtMs: number }> {
    const { sessionId } = (await askQuietly({ prompt: 'hello' })).body;
    return { sessionId, lastAtMs: Date.parse((await api.adapters.log.last(ref(sessionId)))?.at ?? '') };
  }

  /** One in which nobody speaks. */
  async function open(): Promise<string> {
    const { body } = await api.send<SessionRecord>(`/api/v1/tenants/${quiet.tenantId}/sessions`, { method: 'POST', token, body: {} });
    return body.sessionId;
  }

  async function closeIdleSince(idleSinceMs: number, nowMs: number): Promise<ClosedSessions> {
    const activities = createStaleSessionActivities({ ...api.adapters, sessionIdleMs: nowMs - idleSinceMs });
    const now = jest.spyOn(Date, 'now').mockReturnValue(nowMs);
    try {
      return await new MockActivityEnvironment().run<[{ tenantId: string }], ClosedSessions, typeof activities.closeStaleSessions>((input) => activities.closeStaleSessions(input), { tenantId: quiet.tenantId });
    } finally {
      now.mockRestore();
    }
  }

  async function countRunning(): Promise<number> {
    let running = 0;
    for await (const { sessionId } of api.adapters.sessionWorkflows.running(quiet.tenantId)) running += sessionId === '' ? 0 : 1;
    return running;
  }

  it('is closed, and no other: its log ends, it takes nothing more, and a new one is opened', async () => {
    const silent = await open();
    const [idle, busy] = [await talk(), await talk()];
    const opened = await open();
    // The list of what runs lags behind.
    while ((await countRunning()) < 2);
    expect(await closeIdleSince((idle.lastAtMs + busy.lastAtMs) / 2, busy.lastAtMs)).toEqual({ running: 2, closed: 2 });
    for (const sessionId of [silent, idle.sessionId]) while (!(await typesOf(sessionId)).includes('session.closed'));
    expect(await typesOf(opened)).toEqual([]);
    expect((await askQuietly({ prompt: 'again', session_id: idle.sessionId })).body).toMatchObject({ code: 'session/closed' });
    expect(await typesOf(busy.sessionId)).not.toContain('session.closed');
    expect((await askQuietly({ prompt: 'again', session_id: busy.sessionId })).body).toMatchObject({ outcome: 'completed', sessionId: busy.sessionId });
    expect((await talk()).sessionId).not.toBe(idle.sessionId);
  });
});

describe('a session that closed long ago', () => {
  let token: string;
  const ref = (sessionId: string) => ({ tenantId: quiet.tenantId, sessionId });
  beforeAll(async () => ({ accessToken: token } = await signUp(quiet, [groups.members])));

  /** As when Temporal's retention has passed, or the tenant was restored in place. */
  async function forgetWorkflows(sessionId: string): Promise<void> {
    const { sessionWorkflows } = api.adapters;
    while ((await sessionWorkflows.status(ref(sessionId))).state !== 'idle') await sessionWorkflows.forgetAll(quiet.tenantId);
  }

  it('takes no message, whether or not Temporal still knows it; what it took before has its answer', async () => {
    const path = `/api/v1/tenants/${quiet.tenantId}/sessions`;
    const send = <Body>(to: string, body: object, headers: Record<string, string> = {}) => api.send<Body & { code?: string }>(to, { method: 'POST', token, body, headers });
    const { sessionId } = (await send<SessionRecord>(path, {})).body;
    const key = { 'idempotency-key': randomUUID() };
    const first = await send<Taken>(`${path}/${sessionId}/messages`, { text: 'What is 6*7?' }, key);
    await send(`${path}/${sessionId}/close`, {});
    await readUntil(readEvents(`${api.url}${path}/${sessionId}/events`, { token }), () => false);
    const log = await api.adapters.log.read(ref(sessionId), { after: 0 });
    // Whoever was told of the end may be faster than the record of it.
    while ((await api.adapters.sessions.get(ref(sessionId)))?.closedAt === undefined);
    // What this API remembers of it may be older.
    expect((await api.send<SessionRecord>(`${path}/${sessionId}`, { token })).body.closedAt).toBeDefined();

    for (const forget of [() => Promise.resolve(), () => forgetWorkflows(sessionId)]) {
      await forget();
      expect(await send(`${path}/${sessionId}/messages`, { text: 'What is 6*7?' }, key)).toMatchObject({ status: 202, body: first.body });
      expect((await send(`${path}/${sessionId}/messages`, { text: 'What is 6*8?' }, key)).body.code).toBe('idempotency/key-reused');
      expect(await send(`${path}/${sessionId}/messages`, { text: 'Hello?' })).toMatchObject({ status: 409, body: { code: 'session/closed' } });
      expect(await send(`/api/v1/tenant/${quiet.tenantId}/agent`, { prompt: 'Hello?', session_id: sessionId })).toMatchObject({ status: 409, body: { code: 'session/closed' } });
    }
    expect((await api.adapters.sessionWorkflows.status(ref(sessionId))).head).toBe(0);
    expect(await api.adapters.log.read(ref(sessionId), { after: 0 })).toEqual(log);
  });
});
