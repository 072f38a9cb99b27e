import { randomBytes } from 'node:crypto';
import { makeApiKey } from '../../src/api/api-key-text';
import { createPlaces } from '../../src/adapters/valkey/places';
import { createRequestLimiter } from '../../src/adapters/valkey/request-limiter';
import { createValkey } from '../../src/adapters/valkey/connection';
import { groups } from '../../src/contracts/names';
import type { Problem } from '../../src/api/problem';
import { maxMessageCharacters } from '../../src/contracts/session';
import { tiersWith } from '../../src/domain/tiers';
import { createLogger } from '../../src/logging';
import { readEvents, readUntil } from './events';
import { type Account, newTenant, signUp } from './accounts';
import { type Answer, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** Nobody listens at port 1. */
const absentValkey = () => createValkey('redis://127.0.0.1:1', createLogger('api', 'silent'));

let api: RunningApi;
let replica: RunningApi;
/** As the built-in ones, but small: what is large takes long to use up. */
const tiers = tiersWith({
  standard: { userShare: 1 },
  shared: { userShare: 0.5 },
  narrow: { userShare: 0.5, streams: 4, turns: 4, sessions: 2, messageCharacters: 100, bodyBytes: 2_048 },
});
beforeAll(async () => {
  [api, replica] = await Promise.all([startApi({ tiers }), startApi({ tiers })]);
});
afterAll(() => Promise.all([api.stop(), replica.stop()]));

async function limitedUser(requestsPerMinute: number, burst: number): Promise<{ path: string; user: Account }> {
  const tenant = await newTenant({ requestsPerMinute, burst });
  return { path: `/api/v1/tenants/${tenant.tenantId}/sessions`, user: await signUp(tenant, [groups.members]) };
}

it('grants a burst, then refuses and says when to come back', async () => {
  const { path, user } = await limitedUser(6, 3);
  const ask = () => api.send(path, { token: user.accessToken });
  const granted = [await ask(), await ask(), await ask()];
  expect(granted.map(({ status, headers }) => [status, headers.get('ratelimit-remaining')])).toEqual([
    [200, '2'],
    [200, '1'],
    [200, '0'],
  ]);
  const { status, headers, body } = await ask();
  expect([status, body.code, body.retryable]).toEqual([429, 'request/rate-limited', true]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(9);
  expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
  expect([headers.get('ratelimit-limit'), headers.get('ratelimit-policy')]).toEqual(['3', '6;w=60;burst=3']);
});

it('counts over all replicas', async () => {
  const { path, user } = await limitedUser(1, 2);
  const statuses = [];
  for (const server of [api, replica, api]) statuses.push((await server.send(path, { token: user.accessToken })).status);
  expect(statuses).toEqual([200, 200, 429]);
});

it("takes nothing from a tenant's bucket for strangers, nor from another tenant's", async () => {
  const [one, other] = await Promise.all([limitedUser(1, 1), limitedUser(1, 1)]);
  for (let count = 0; count < 3; count += 1) expect((await api.send(one.path, { token: other.user.accessToken })).status).toBe(401);
  expect((await api.send(other.path, { token: other.user.accessToken })).status).toBe(200);
  expect((await api.send(one.path, { token: one.user.accessToken })).status).toBe(200);
});

it('lets nothing pass when nobody counts', async () => {
  const valkey = absentValkey();
  const uncounted = await startApi({ limiter: createRequestLimiter(valkey) });
  const { path, user } = await limitedUser(100, 20);
  const { status, headers, body } = await uncounted.send(path, { token: user.accessToken });
  expect([status, body.code, body.retryable]).toEqual([503, 'dependency/unavailable', true]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  await uncounted.stop();
  await valkey.close();
});

/** Users of a tenant of a tier, without a limit of requests. */
async function inTier(tier: string, rate?: { requestsPerMinute: number; burst: number }) {
  const tenant = await newTenant(rate);
  await api.adapters.registry.update(tenant.tenantId, { tier });
  const path = `/api/v1/tenants/${tenant.tenantId}/sessions`;
  const [ada, bob, eve] = (await Promise.all([1, 2, 3].map(() => signUp(tenant, [groups.members])))) as [Account, Account, Account];
  return { tenant, path, ada, bob, eve };
}

/** What every refusal for a limit says. */
function expectLimit({ status, headers, body }: Answer, code: string, limit: number): void {
  expect([status, body.code, body.retryable, headers.get('content-type')]).toEqual([429, code, true, 'application/problem+json; charset=utf-8']);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect([headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).toEqual([String(limit), '0']);
  expect(headers.get('ratelimit-policy')).toMatch(new RegExp(`^${limit};|;burst=${limit}$`));
}

describe('one user', () => {
  it('takes a part of the requests, and leaves the others theirs', async () => {
    const { path, ada, bob } = await inTier('shared', { requestsPerMinute: 6, burst: 6 });
    const ask = (user: Account, server = api) => server.send(path, { token: user.accessToken });
    expect([(await ask(ada)).status, (await ask(ada, replica)).status, (await ask(ada)).status]).toEqual([200, 200, 200]);
    expectLimit(await ask(ada, replica), 'request/rate-limited', 3);
    expect([(await ask(bob)).status, (await ask(bob)).status, (await ask(bob)).status]).toEqual([200, 200, 200]);
    expectLimit(await ask(bob), 'request/rate-limited', 3);
  });

  it('has a part of the streams, which are counted over all replicas and come free when they end', async () => {
    const { path, ada, bob, eve } = await inTier('narrow');
    const streamOf = async (user: Account, server: RunningApi) => {
      const { sessionId } = (await server.send<{ sessionId: string }>(path, { method: 'POST', token: user.accessToken, body: {} })).body;
      return `${server.url}${path}/${sessionId}/events`;
    };
    const leaving: AbortController[] = [];
    /** Node.js closes the connection of an answer that nobody refers to any more. */
    const kept: Response[] = [];
    const begin = async (user: Account, server: RunningApi) => {
      const left = new AbortController();
      leaving.push(left);
      const response = await fetch(await streamOf(user, server), { headers: { accept: 'text/event-stream', authorization: `Bearer ${user.accessToken}` }, signal: left.signal });
      kept.push(response);
      return response;
    };
    // Again, as clients do, when it is not known whether there is a place.
    const open = async (user: Account, server: RunningApi) => {
      let response = await begin(user, server);
      while (response.status === 503) response = await begin(user, server);
      return response;
    };
    const refusedTo = async (user: Account): Promise<Answer> => {
      const response = await open(user, api);
      expect(response.status).not.toBe(200);
      return { status: response.status, headers: response.headers, body: (await response.json()) as Partial<Problem> };
    };
    expect([(await open(ada, api)).status, (await open(ada, replica)).status]).toEqual([200, 200]);
    expectLimit(await refusedTo(ada), 'limit/streams', 2);
    expect([(await open(bob, api)).status, (await open(bob, replica)).status]).toEqual([200, 200]);
    expectLimit(await refusedTo(eve), 'limit/streams', 4);
    // Pages are no streams.
    expect((await api.send((await streamOf(ada, api)).slice(api.url.length), { token: ada.accessToken })).status).toBe(200);
    leaving[0]?.abort();
    while ((await open(ada, replica)).status !== 200);
    for (const left of leaving) left.abort();
  });
});

describe('of what is under way', () => {
  const say = (path: string, user: Account, sessionId: string, server = api) => server.send<Partial<Problem> & { turnId?: string }>(`${path}/${sessionId}/messages`, { method: 'POST', token: user.accessToken, body: { text: 'Hello' } });
  const openSession = async (path: string, user: Account) => (await api.send<{ sessionId: string }>(path, { method: 'POST', token: user.accessToken, body: {} })).body.sessionId;

  /** Whose turns are worked on; those of all others stay where they are. */
  let served: Awaited<ReturnType<typeof inTier>>;
  let stopWorkers: () => Promise<void>;
  beforeAll(async () => {
    served = await inTier('narrow');
    stopWorkers = await startWorkers(api.adapters, [served.tenant.tenantId]);
  });
  afterAll(() => stopWorkers());

  it('a tenant has so many turns, and a user a part of them', async () => {
    const { path, ada } = await inTier('narrow');
    const sessionId = await openSession(path, ada);
    expect([(await say(path, ada, sessionId)).status, (await say(path, ada, sessionId, replica)).status]).toEqual([202, 202]);
    expectLimit(await say(path, ada, sessionId), 'limit/turns', 2);
  });

  it('a turn that ended makes room for another', async () => {
    const { path, ada } = served;
    const sessionId = await openSession(path, ada);
    for (let count = 0; count < 5; count += 1) {
      const { turnId } = (await say(path, ada, sessionId)).body;
      await readUntil(readEvents(`${api.url}${path}/${sessionId}/events`, { token: ada.accessToken }), (entry) => entry.type === 'turn.completed' && entry.turnId === turnId);
    }
  });

  it('a tenant has so many sessions at work, and a user a part of them', async () => {
    const { path, ada, bob } = await inTier('narrow');
    expect((await say(path, ada, await openSession(path, ada))).status).toBe(202);
    expectLimit(await say(path, ada, await openSession(path, ada)), 'limit/sessions', 1);
    expect((await say(path, bob, await openSession(path, bob))).status).toBe(202);
  });

  it('a turn that was not taken takes no place', async () => {
    const { path, ada } = await inTier('narrow');
    const sessionId = await openSession(path, ada);
    const failing = await startApi({ tiers, sessionWorkflows: { ...api.adapters.sessionWorkflows, submit: () => Promise.reject(new Error('no')) } });
    for (let count = 0; count < 5; count += 1) expect((await say(path, ada, sessionId, failing)).status).toBe(500);
    await failing.stop();
    expect((await say(path, ada, sessionId)).status).toBe(202);
  });

  it('a message may be as long as the tier says, and no longer', async () => {
    const { path, ada } = await inTier('narrow');
    const messages = `${path}/${await openSession(path, ada)}/messages`;
    const post = (characters: number) => api.send(messages, { method: 'POST', token: ada.accessToken, body: { text: 'x'.repeat(characters) } });
    expect((await post(101)).body).toMatchObject({ status: 413, code: 'message/too-long', detail: 'A message may have 100 characters; this one has 101.' });
    expect((await post(2_049)).body).toMatchObject({ status: 413, code: 'request/too-large', detail: 'The body may have 2048 bytes.' });
    expect((await post(100)).status).toBe(202);
  });

  it.each(['standard', 'premium'])('a message that is too long for the tier %s is told so, not that it is malformed', async (tier) => {
    const { tenant, path, ada } = await inTier(tier);
    const text = 'x'.repeat(maxMessageCharacters + 1);
    const post = (to: string, body: object) => api.send(to, { method: 'POST', token: ada.accessToken, body });
    const tooLong = { status: 413, code: 'message/too-long' };
    expect((await post(`${path}/${await openSession(path, ada)}/messages`, { text })).body).toMatchObject(tooLong);
    const sessions = async () => (await api.send<{ data: unknown[] }>(path, { token: ada.accessToken })).body.data.length;
    const before = await sessions();
    expect((await post(`/api/v1/tenant/${tenant.tenantId}/agent`, { prompt: text })).body).toMatchObject(tooLong);
    // What is refused leaves no session behind.
    expect(await sessions()).toBe(before);
  });
});

describe('strangers', () => {
  const path = '/api/v1/sign-in';

  it('may ask so much from one address, over all replicas; those who watch over the process always may', async () => {
    const publicRate = { requestsPerMinute: 1, burst: 2 };
    const settings = { publicRate, trustedProxies: 1 };
    const [one, other] = await Promise.all([startApi(settings), startApi(settings)]);
    const from = (server: RunningApi, address: string, to = path) => server.send(to, { headers: { 'x-forwarded-for': `203.0.113.99, ${address}` } });
    const address = `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}`;
    expect([(await from(one, `${address}::1`)).status, (await from(other, `${address}::2`)).status]).toEqual([200, 200]);
    expectLimit(await from(one, `${address}::3`), 'request/rate-limited', 2);
    expect((await from(one, `${address.slice(0, -1)}${address.endsWith('0') ? '1' : '0'}::1`)).status).toBe(200);
    for (const probe of ['/healthz', '/readyz', '/ping']) expect((await from(one, `${address}::1`, probe)).status).toBe(200);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('cannot say themselves where they come from, unless a proxy is trusted', async () => {
    const direct = await startApi({ publicRate: { requestsPerMinute: 1, burst: 1 }, trustedProxies: 0 });
    const ask = async () => (await direct.send(path, { headers: { 'x-forwarded-for': randomBytes(8).toString('hex') } })).status;
    const statuses = [await ask(), await ask(), await ask()];
    expect(statuses.at(-1)).toBe(429);
    await direct.stop();
  });
});

describe('refused credentials', () => {
  const settings = { failuresPerMinute: 3, trustedProxies: 1, tiers };
  let one: RunningApi;
  let other: RunningApi;
  beforeAll(async () => {
    [one, other] = await Promise.all([startApi(settings), startApi(settings)]);
  });
  afterAll(() => Promise.all([one.stop(), other.stop()]));
  const newAddress = () => `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}::1`;
  const ask = (server: RunningApi, path: string, token: string | undefined, address: string) => server.send(path, { token, headers: { 'x-forwarded-for': address } });

  it('are limited by address, over all replicas, and lock nobody out', async () => {
    const { path, ada } = await inTier('shared');
    const [attacker, elsewhere] = [newAddress(), newAddress()];
    const statuses = [];
    for (const server of [one, other, one]) statuses.push((await ask(server, path, 'guess', attacker)).status);
    expect(statuses).toEqual([401, 401, 401]);
    const refused = await ask(other, path, makeApiKey('0'.repeat(16)).text, attacker);
    expectLimit(refused, 'auth/too-many-failures', 3);
    expect(refused.body.detail).toContain('Good ones are still taken');
    // From the attacker's own address, and from others.
    expect((await ask(one, path, ada.accessToken, attacker)).status).toBe(200);
    expect((await ask(one, path, 'guess', elsewhere)).status).toBe(401);
  });

  it('are limited by tenant, from however many addresses, and lock nobody out', async () => {
    const { path, ada } = await inTier('shared');
    const answers: Answer[] = [];
    // Thirty, and one more each two seconds that they take.
    do answers.push(await ask(answers.length % 2 === 0 ? one : other, path, 'guess', newAddress()));
    while (answers.at(-1)?.status === 401);
    expect(answers.length).toBeGreaterThan(30);
    expectLimit(answers.at(-1) as Answer, 'auth/too-many-failures', 30);
    expect((await ask(one, path, ada.accessToken, newAddress())).status).toBe(200);
    const { path: others } = await inTier('shared');
    expect((await ask(one, others, 'guess', newAddress())).status).toBe(401);
  });

  it('are not counted where none was sent, and refuse as ever while nobody counts', async () => {
    const { path } = await inTier('shared');
    const address = newAddress();
    for (let count = 0; count < 5; count += 1) expect((await ask(one, path, undefined, address)).status).toBe(401);
    const valkey = absentValkey();
    const uncounted = await startApi({ ...settings, limiter: createRequestLimiter(valkey) });
    for (let count = 0; count < 5; count += 1) expect((await ask(uncounted, path, 'guess', address)).status).toBe(401);
    await uncounted.stop();
    await valkey.close();
  });
});

it('opens no stream and takes no message while nobody counts', async () => {
  const valkey = absentValkey();
  const uncounted = await startApi({ places: createPlaces(valkey), tiers });
  const { path, ada } = await inTier('shared');
  const { sessionId } = (await api.send<{ sessionId: string }>(path, { method: 'POST', token: ada.accessToken, body: {} })).body;
  await expect(readEvents(`${uncounted.url}${path}/${sessionId}/events`, { token: ada.accessToken }).next()).rejects.toThrow('503');
  expect((await uncounted.send(`${path}/${sessionId}/messages`, { method: 'POST', token: ada.accessToken, body: { text: 'Hello' } })).body.code).toBe('dependency/unavailable');
  await uncounted.stop();
  await valkey.close();
});

describe('readiness', () => {
  it('is green while everything answers', async () => {
    const { status, body } = await api.send<object>('/readyz');
    expect([status, body]).toEqual([200, { ready: true, dependencies: { temporal: 'ok', valkey: 'ok' } }]);
  });

  it('is red while something does not, and says what', async () => {
    const valkey = absentValkey();
    const unready = await startApi({ dependencies: [valkey.dependency] });
    const { status, headers, body } = await unready.send<{ dependencies: { valkey: string } }>('/readyz');
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(body).toMatchObject({ ready: false });
    expect(body.dependencies.valkey).not.toBe('ok');
    expect((await unready.send('/healthz')).status).toBe(200);
    await unready.stop();
    await valkey.close();
  });
});
