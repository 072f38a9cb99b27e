/** @jest-environment ./test/support/outer-errors.ts */
import { randomBytes } from 'node:crypto';
import { createAccessCache } from '../../src/adapters/access-cache';
import { createAccessStore } from '../../src/adapters/aws/access-store';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { loadConfig } from '../../src/config';
import type { ApiKey } from '../../src/contracts/access';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signIn, signUp, signUpOperator } from './accounts';
import { Mint, nowSeconds } from './mint';
import { type RunningApi, startApi } from './running-api';
import { untilRefused, untilStatus } from './until-status';

/** As in production: a decision holds everywhere after this time. */
const accessCacheMs = 1_000;
/** And for who reads a stream, after that and a look every so often. */
const streamCheckMs = 300;

let api: RunningApi;
/** Takes none of the requests that change anything. */
let replica: RunningApi;
let tenant: ServedTenant;
let administrator: Account;
let operator: Account;
beforeAll(async () => {
  [api, replica] = await Promise.all([startApi({ streamCheckMs }), startApi({ streamCheckMs })]);
  [tenant, operator] = await Promise.all([newTenant(), signUpOperator()]);
  administrator = await signUp(tenant, [groups.administrators]);
});
afterAll(() => Promise.all([api.stop(), replica.stop()]));

const base = (of = tenant) => `/api/v1/tenants/${of.tenantId}`;
const list = (server: RunningApi, token: string, of = tenant) => server.send(`${base(of)}/sessions`, { token });
const post = <Body>(path: string, token: string, body: object = {}) => api.send<Body>(path, { method: 'POST', token, body });

/** A little for what is read meanwhile. */
const soon = accessCacheMs + 500;

/** Tokens count seconds: one that is minted in the second of a sign-out is refused. */
const afterThisSecond = async () => {
  const second = nowSeconds();
  while (nowSeconds() === second) await new Promise(setImmediate);
};

describe('who is signed out everywhere', () => {
  it('is refused by all replicas within the stated time, and may sign in again; again is fine', async () => {
    const user = await signUp(tenant, [groups.members]);
    expect([(await list(api, user.accessToken)).status, (await list(replica, user.accessToken)).status]).toEqual([200, 200]);
    const path = `${base()}/users/${user.userId}/sign-out`;
    const first = await post<{ notBefore: string }>(path, administrator.accessToken);
    expect(first.status).toBe(200);
    for (const server of [api, replica]) expect(await untilRefused(() => list(server, user.accessToken))).toBeLessThan(soon);
    expect((await list(api, user.accessToken)).body.detail).toContain('it was signed out');
    const second = await post<{ notBefore: string }>(path, operator.accessToken);
    expect(second.body.notBefore > first.body.notBefore).toBe(true);
    await afterThisSecond();
    expect((await list(replica, (await signInAgain(user)).accessToken)).status).toBe(200);
    expect((await list(api, administrator.accessToken)).status).toBe(200);
  });

  it('is everybody of a tenant, when an operator says so, and nobody of another', async () => {
    const [left, other] = await Promise.all([newTenant(), newTenant()]);
    const [user, stranger] = await Promise.all([signUp(left, [groups.members]), signUp(other, [groups.members])]);
    expect((await list(replica, user.accessToken, left)).status).toBe(200);
    expect((await post(`${base(left)}/sign-out`, operator.accessToken)).status).toBe(200);
    for (const server of [api, replica]) expect(await untilRefused(() => list(server, user.accessToken, left))).toBeLessThan(soon);
    expect((await list(api, stranger.accessToken, other)).status).toBe(200);
  });

  it('is an operator, too', async () => {
    const leaving = await signUpOperator();
    const { data } = (await api.send<{ data: { userId: string; email: string }[] }>('/api/v1/operators?limit=60', { token: operator.accessToken })).body;
    const userId = data.find(({ email }) => email === leaving.email)?.userId ?? '';
    expect((await post(`/api/v1/operators/${userId}/sign-out`, operator.accessToken)).status).toBe(200);
    expect(await untilRefused(() => replica.send('/api/v1/tenants', { token: leaving.accessToken }))).toBeLessThan(soon);
    expect((await replica.send('/api/v1/tenants', { token: operator.accessToken })).status).toBe(200);
  });

  it('is out although the token was renewed since, where the pool says when the user signed in', async () => {
    const mint = await Mint.start();
    const minted = await startApi({ issuers: mint.issuers });
    const sub = '11111111-1111-4111-8111-111111111111';
    await api.adapters.accessStore.note(tenant.tenantId, sub, { notBefore: new Date((nowSeconds() - 60) * 1_000).toISOString() });
    const ask = async (claims: object) => (await list(minted, mint.token(tenant, { sub, ...claims }))).status;
    expect([await ask({ auth_time: nowSeconds() - 120 }), await ask({})]).toEqual([401, 200]);
    await minted.stop();
    mint.stop();
  });
});

it('keeps a disabled user out, tokens and sign-in, until enabled', async () => {
  const user = await signUp(tenant, [groups.members]);
  expect((await post(`${base()}/users/${user.userId}/disable`, administrator.accessToken)).body).toMatchObject({ userId: user.userId, enabled: false });
  expect(await untilRefused(() => list(replica, user.accessToken))).toBeLessThan(soon);
  await expect(signInAgain(user)).rejects.toThrow();
  expect((await post(`${base()}/users/${user.userId}/enable`, administrator.accessToken)).body).toMatchObject({ enabled: true });
  await afterThisSecond();
  const again = await signInAgain(user);
  expect(await untilStatus(200, () => list(replica, again.accessToken))).toBeLessThan(soon);
  expect((await list(replica, user.accessToken)).status).toBe(401);
});

describe('a change of role', () => {
  const give = (user: Account, roles: readonly string[]) => api.send(`${base()}/users/${user.userId}/roles`, { method: 'PUT', token: administrator.accessToken, body: { roles } });
  const config = (server: RunningApi, token: string) => server.send(`${base()}/config`, { token });

  it('holds for the token that is out already, in both directions, and at Cognito', async () => {
    const user = await signUp(tenant, [groups.members]);
    expect((await config(replica, user.accessToken)).status).toBe(403);
    expect((await give(user, [groups.administrators])).body).toMatchObject({ roles: [groups.administrators] });
    expect(await untilStatus(200, () => config(replica, user.accessToken))).toBeLessThan(soon);
    await give(user, [groups.members]);
    expect(await untilRefused(() => config(replica, user.accessToken), 403)).toBeLessThan(soon);
    const { data } = (await api.send<{ data: { userId: string; roles: string[] }[] }>(`${base()}/users?limit=60`, { token: administrator.accessToken })).body;
    expect(data.find(({ userId }) => userId === user.userId)?.roles).toEqual([groups.members]);
    await afterThisSecond();
    expect((await config(api, (await signInAgain(user)).accessToken)).status).toBe(403);
  });

  it('makes a group that the pool does not have yet', async () => {
    const user = await signUp(tenant, []);
    expect((await give(user, [groups.auditors, groups.approvers])).status).toBe(200);
    await afterThisSecond();
    const { accessToken } = await signInAgain(user);
    expect((await config(api, accessToken)).status).toBe(200);
    expect((await api.send(`${base()}/config`, { method: 'PUT', token: accessToken, body: {} })).body.code).toBe('auth/forbidden');
  });

  it('takes no role that is none', async () => expect((await give(administrator, ['operators'])).body.code).toBe('request/malformed'));
});

describe('an API key', () => {
  interface Shown extends ApiKey {
    readonly key: string;
  }
  const make = async (body: object = {}, token = administrator.accessToken) => post<Shown & { code?: string }>(`${base()}/api-keys`, token, { name: 'nightly', permissions: ['read:session', 'write:session'], ...body });

  it('does what it was given, as a user of its own, and no more', async () => {
    const { status, headers, body } = await make();
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store']);
    expect(body.key).toMatch(/^tenure_key_[0-9a-z]{16}_[0-9a-f]{72}$/);
    const opened = await post<{ userId: string }>(`${base()}/sessions`, body.key);
    expect(opened.body.userId).toBe(`key-${body.keyId}`);
    expect((await list(replica, body.key)).status).toBe(200);
    for (const path of ['/config', '/users', '/api-keys']) expect((await api.send(`${base()}${path}`, { token: body.key })).status).toBe(403);
    expect((await make({}, body.key)).status).toBe(403);
    expect((await api.send('/api/v1/tenants', { token: body.key })).status).toBe(401);
  });

  it('is shown once: neither a repetition nor a list tells it, nor anything to find it by', async () => {
    const request = { method: 'POST', token: administrator.accessToken, body: { name: 'once', permissions: ['read:session'] }, headers: { 'idempotency-key': 'once' } };
    const first = await api.send<Shown>(`${base()}/api-keys`, request);
    expect((await api.send(`${base()}/api-keys`, request)).body.code).toBe('api-key/shown');
    const listed = await api.send<{ data: ApiKey[] }>(`${base()}/api-keys`, { token: administrator.accessToken });
    expect(listed.body.data.map(({ keyId }) => keyId)).toContain(first.body.keyId);
    const stored = await api.adapters.accessStore.key(tenant.tenantId, first.body.keyId);
    expect(JSON.stringify(listed.body)).not.toContain(stored?.digest);
    expect(JSON.stringify([stored, listed.body])).not.toContain(first.body.key.slice(-40));
  });

  it('gives nobody what they do not have, and not for long', async () => {
    const auditor = await signUp(tenant, [groups.auditors]);
    expect((await make({}, auditor.accessToken)).status).toBe(403);
    expect((await make({ permissions: ['write:api-key'] })).body.code).toBe('request/malformed');
    expect((await make({ expiresInSeconds: 91 * 86_400 })).body.code).toBe('request/malformed');
  });

  it('is refused within the stated time once it is revoked, by whomever; again is fine', async () => {
    for (const by of [administrator, operator]) {
      const { keyId, key } = (await make()).body;
      expect((await list(replica, key)).status).toBe(200);
      const revoke = () => api.send<ApiKey>(`${base()}/api-keys/${keyId}`, { method: 'DELETE', token: by.accessToken });
      const first = await revoke();
      expect(first.body.revokedAt).toBeDefined();
      for (const server of [api, replica]) expect(await untilRefused(() => list(server, key))).toBeLessThan(soon);
      expect((await revoke()).body).toEqual(first.body);
    }
    expect((await api.send(`${base()}/api-keys/${'0'.repeat(16)}`, { method: 'DELETE', token: administrator.accessToken })).body.code).toBe('api-key/not-found');
  });

  it('dies when its creator is signed out, and shrinks with the creator’s role', async () => {
    const maker = await signUp(tenant, [groups.administrators]);
    const { key } = (await make({ permissions: ['read:session', 'read:config'] }, maker.accessToken)).body;
    const config = () => replica.send(`${base()}/config`, { token: key });
    expect((await config()).status).toBe(200);
    await api.send(`${base()}/users/${maker.userId}/roles`, { method: 'PUT', token: administrator.accessToken, body: { roles: [groups.members] } });
    expect(await untilRefused(config, 403)).toBeLessThan(soon);
    expect((await list(replica, key)).status).toBe(200);
    await post(`${base()}/users/${maker.userId}/sign-out`, administrator.accessToken);
    expect(await untilRefused(() => list(replica, key))).toBeLessThan(soon);
  });

  it('is counted: a tenant has so many', async () => {
    const crowded = await newTenant();
    const admin = await signUp(crowded, [groups.administrators]);
    const ask = () => post<{ code?: string }>(`${base(crowded)}/api-keys`, admin.accessToken, { name: 'k', permissions: ['read:session'] });
    await Promise.all(Array.from({ length: 100 }, ask));
    expect((await ask()).body.code).toBe('api-key/too-many');
  });
});

describe('an open stream', () => {
  /** @returns once it is open: what it says until its end. */
  async function openStream(token: string): Promise<{ readonly text: Promise<string> }> {
    const { sessionId } = (await post<{ sessionId: string }>(`${base()}/sessions`, token)).body;
    const response = await fetch(`${replica.url}${base()}/sessions/${sessionId}/events`, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
    return { text: response.text() };
  }

  it('ends with its reader’s sign-out, loss of role, or key, and says why', async () => {
    const [out, demoted, maker] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
    const key = (await post<{ keyId: string; key: string }>(`${base()}/api-keys`, maker.accessToken, { name: 'k', permissions: ['read:session', 'write:session'] })).body;
    const streams = await Promise.all([out.accessToken, demoted.accessToken, key.key].map(openStream));
    await post(`${base()}/users/${out.userId}/sign-out`, administrator.accessToken);
    await api.send(`${base()}/users/${demoted.userId}/roles`, { method: 'PUT', token: administrator.accessToken, body: { roles: [] } });
    await api.send(`${base()}/api-keys/${key.keyId}`, { method: 'DELETE', token: administrator.accessToken });
    const [first, second, third] = await Promise.all(streams.map(({ text }) => text));
    expect(first).toMatch(/event: problem\ndata: .*auth\/unauthenticated/);
    expect(second).toMatch(/event: problem\ndata: .*auth\/forbidden/);
    expect(third).toMatch(/event: problem\ndata: .*auth\/unauthenticated/);
  });
});

it('breaks an export off whose reader was signed out, before its last line', async () => {
  const user = await signUp(tenant, [groups.members]);
  const { sessionId } = (await post<{ sessionId: string }>(`${base()}/sessions`, user.accessToken)).body;
  const session = { tenantId: tenant.tenantId, sessionId };
  // More than the buffers on the way to its reader hold: Linux lets them grow to 37 MB.
  for (let after = 0; after < 130; after += 1)
    await api.adapters.log.append(session, { after, key: `batch-${after}`, events: [{ type: 'turn.started', turnId: 'turn-1', text: randomBytes(225_000).toString('base64') }] });
  const response = await fetch(`${replica.url}${base()}/sessions/${sessionId}/events?format=jsonl`, { headers: { authorization: `Bearer ${user.accessToken}` } });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  expect((await reader.read()).done).toBe(false);
  await post(`${base()}/users/${user.userId}/sign-out`, administrator.accessToken);
  await untilRefused(() => list(replica, user.accessToken));
  const readOn = async () => {
    while (!(await reader.read()).done);
  };
  await expect(readOn()).rejects.toThrow('terminated');
});

it('lets nobody in while nobody can say who was signed out', async () => {
  // Nobody listens at port 1.
  const store = createAccessStore(createPlatformClients({ ...loadConfig().aws, endpoint: 'http://127.0.0.1:1' }));
  const blind = await startApi({ access: createAccessCache({ store, cacheMs: accessCacheMs }) });
  const user = await signUp(tenant, [groups.members]);
  expect((await list(blind, user.accessToken)).body).toMatchObject({ status: 503, code: 'dependency/unavailable' });
  await blind.stop();
});

const signInAgain = (user: Account) => signIn(tenant.infrastructure, user);
