import { setTimeout as delay } from 'node:timers/promises';
import { makeApiKey } from '../../src/api/api-key-text';
import type { Route } from '../../src/api/route';
import { groups } from '../../src/contracts/names';
import { permissionsOf } from '../../src/domain/permissions';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { mixed, ofOtherClient, signedWithPublicKey, unsigned } from './forgery';
import { Mint } from './mint';
import { declaredRoutes, requestTo, titleOf } from './requests';
import { type Answer, type RunningApi, startApi } from './running-api';

type Realm = 'tenant' | 'operator' | 'either';
const guarded = declaredRoutes.flatMap((route): [title: string, route: Route, realm: Realm][] => (route.access === 'public' ? [] : [[titleOf(route), route, route.access.realm]]));

/** Against keys of our own, so that tokens can be good but for one thing. */
let api: RunningApi;
let mint: Mint;
let tenant: ServedTenant;
let other: ServedTenant;
/** By what is wrong: the headers of a request that must be refused. */
let tenantsBroken: Readonly<Record<string, Headers>>;
let operatorsBroken: Readonly<Record<string, Headers>>;

type Headers = Readonly<Record<string, string>>;

beforeAll(async () => {
  mint = await Mint.start();
  api = await startApi({ issuers: mint.issuers });
  [tenant, other] = await Promise.all([newTenant(), newTenant()]);
  const anyway = brokenHeaders(mint.token(tenant));
  const machines = await brokenMachines();
  const keys = await brokenKeys();
  const operator = { authorization: `Bearer ${mint.token(undefined)}` };
  const user = { authorization: `Bearer ${mint.token(tenant)}` };
  tenantsBroken = { ...anyway, ...asBearers(mint.broken(tenant)), ...keys, ...machines, 'another tenant’s': { authorization: `Bearer ${mint.token(other)}` }, 'an operator’s': operator };
  operatorsBroken = { ...brokenHeaders(mint.token(undefined)), ...asBearers(mint.broken(undefined)), 'a tenant’s': user, 'a tenant’s group of operators': asBearer(mint.token(tenant, { 'cognito:groups': [groups.operators] })), ...keys, ...machines };
});
afterAll(async () => {
  await api.stop();
  mint.stop();
});

const asBearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const asBearers = (tokens: Readonly<Record<string, string>>): Record<string, Headers> => Object.fromEntries(Object.entries(tokens).map(([what, token]) => [what, asBearer(token)]));

const brokenHeaders = (token: string): Record<string, Headers> => ({
  'no credential': {},
  'an empty one': { authorization: 'Bearer' },
  'another scheme': { authorization: `Basic ${token}` },
  'no scheme': { authorization: token },
  'two in one': { authorization: `Bearer ${token} ${token}` },
  'two, by a comma': { authorization: `Bearer ${token}, Bearer ${token}` },
  'in a cookie': { cookie: `access_token=${token}; tenure-operator=${token}` },
  'in a header of its own': { 'x-access-token': token, 'x-amzn-oidc-accesstoken': token },
});

/** Keys that are none, or are not this tenant's, or not any more. */
async function brokenKeys(): Promise<Record<string, Headers>> {
  const record = (keyId: string, digest: string, changes = {}) => ({
    ...{ keyId, digest, name: 'a key', permissions: ['invoke:agent'], createdBy: 'somebody' },
    ...{ createdAt: new Date(Date.now() - 60_000).toISOString(), expiresAt: new Date(Date.now() + 60_000).toISOString(), ...changes },
  });
  const [foreign, expired, revoked, orphaned] = ['0000000000000001', '0000000000000002', '0000000000000003', '0000000000000004'].map((keyId) => ({ keyId, ...makeApiKey(keyId) })) as [Made, Made, Made, Made];
  const { accessStore } = api.adapters;
  await accessStore.addKey(other.tenantId, record(foreign.keyId, foreign.digest));
  await accessStore.addKey(tenant.tenantId, record(expired.keyId, expired.digest, { expiresAt: new Date(Date.now() - 1_000).toISOString() }));
  await accessStore.addKey(tenant.tenantId, record(revoked.keyId, revoked.digest));
  await accessStore.revokeKey(tenant.tenantId, revoked.keyId);
  await accessStore.addKey(tenant.tenantId, record(orphaned.keyId, orphaned.digest, { createdBy: 'gone' }));
  await accessStore.note(tenant.tenantId, 'gone', { disabled: true });
  // Another secret under the id of a key that is good but for it.
  const good = '0000000000000005';
  await accessStore.addKey(tenant.tenantId, record(good, makeApiKey(good).digest));
  const unknown = makeApiKey('0000000000000009').text;
  return asBearers({
    'a key nobody made': unknown,
    'a key with a typing error': `${unknown.slice(0, -1)}${unknown.endsWith('0') ? '1' : '0'}`,
    'half a key': unknown.slice(0, 60),
    'a key in capitals': unknown.toUpperCase(),
    'a known key’s name, another secret': makeApiKey(good).text,
    'another tenant’s key': foreign.text,
    'a key that has expired': expired.text,
    'a key that was revoked': revoked.text,
    'a key of somebody disabled': orphaned.text,
  });
}
/** Genuine tokens of the tenant's pool, by client credentials, of clients that are not taken, or not as they say. */
async function brokenMachines(): Promise<Record<string, Headers>> {
  const { accessStore } = api.adapters;
  const now = new Date().toISOString();
  const register = (of: ServedTenant, clientId: string, ...retired: readonly string[]) =>
    accessStore.addMachineClient(of.tenantId, {
      ...{ clientId: clientId.padEnd(16, '0'), name: 'm', permissions: ['invoke:agent'], createdBy: 'somebody', createdAt: now },
      credentials: [{ oauthClientId: clientId, since: now }, ...retired.map((oauthClientId) => ({ oauthClientId, since: now, until: now }))],
    });
  await Promise.all([register(tenant, 'good', 'retired'), register(tenant, 'revoked'), register(other, 'others')]);
  await accessStore.revokeMachineClient(tenant.tenantId, 'revoked'.padEnd(16, '0'));
  const all = [...permissionsOf('tenant', [groups.administrators])];
  const token = (client: string, claims = {}, of: ServedTenant | undefined = tenant) => mint.machineToken(of, client, all, claims);
  return asBearers({
    'of a machine client nobody registered': token('nobodys'),
    'of a machine client that was revoked': token('revoked'),
    'of a machine client’s old secret': token('retired'),
    'of another tenant’s machine client': token('others'),
    'of another tenant’s machine client and pool': token('others', {}, other),
    'of this tenant’s machine client, by another’s pool': token('good', {}, other),
    'of a machine client, by the operators’ pool': mint.machineToken(undefined, 'good', all, { 'cognito:groups': [groups.operators] }),
    'of a machine client, expired': token('good', { exp: Math.floor(Date.now() / 1_000) - 60 }),
    'of a machine client, an id token': token('good', { token_use: 'id', aud: 'good', client_id: undefined }),
    'of a machine client, for a user': token('good', { sub: 'somebody', 'cognito:groups': [groups.administrators] }),
  });
}

type Made = { readonly keyId: string } & ReturnType<typeof makeApiKey>;

const mostAttempts = 5;

/** Asks again, as it is told to, where a machine at its limit answers 503: so many requests at once are more than a few cores take. */
async function send(route: Route, headers: Headers, tenantId = tenant.tenantId): Promise<Answer> {
  const { path, request } = requestTo(route, tenantId);
  for (let attempt = 1; ; attempt += 1) {
    const answer = await api.send(path, { ...request, headers: { ...request.headers, ...headers } });
    if (answer.status !== 503 || attempt === mostAttempts) return answer;
    await delay(Number(answer.headers.get('retry-after')) * 1_000);
  }
}

/** Wrong where one realm is asked for, and right where either will do. */
const goodForEither = ['an operator’s', 'a tenant’s', 'a tenant’s group of operators'];

/** What a refusal says, and nothing else. */
const refusalIn = ({ status, headers, body }: Answer) => ({ status, code: body.code, challenge: headers.get('www-authenticate') });
const refusal = { status: 401, code: 'auth/unauthenticated', challenge: 'Bearer' };

/** Who gets past the door is refused right behind it: nothing is carried out, whatever is taken. */
const knock = (route: Route, headers: Headers) => send(route, { ...headers, 'idempotency-key': 'x'.repeat(256) });

it('tries at least forty kinds of credential at each of the routes', () => {
  expect(Object.keys(tenantsBroken).length).toBeGreaterThan(60);
  expect(Object.keys(operatorsBroken).length).toBeGreaterThan(60);
  expect(guarded.length).toBeGreaterThan(40);
});

describe.each(guarded)('%s', (_title, route, realm) => {
  it('refuses every broken credential', async () => {
    const broken = { ...(realm !== 'operator' && tenantsBroken), ...(realm !== 'tenant' && operatorsBroken) };
    const kinds = Object.entries(broken).filter(([what]) => realm !== 'either' || !goodForEither.includes(what));
    const answers = await Promise.all(kinds.map(async ([what, headers]) => [what, refusalIn(await knock(route, headers))] as const));
    expect(answers.filter(([, answer]) => JSON.stringify(answer) !== JSON.stringify(refusal))).toEqual([]);
  });

  it('takes the good one', async () => {
    expect((await knock(route, asBearer(mint.token(realm === 'operator' ? undefined : tenant)))).body.code).toBe('request/malformed');
  });

  if (realm === 'either')
    it("takes an operator's, too, and tells an operator that there is no such tenant", async () => {
      expect((await knock(route, asBearer(mint.token(undefined)))).body.code).toBe('request/malformed');
      expect((await send(route, asBearer(mint.token(undefined)), 'no-such-tenant')).body).toMatchObject({ status: 404, code: 'tenant/not-found' });
    });

  if (realm !== 'operator')
    /** Guarantees that a stranger cannot find out which tenants there are. */
    it('answers a stranger alike, whether the tenant is there or not', async () => {
      for (const headers of [asBearer(mint.token(other)), tenantsBroken['a key nobody made'] ?? {}, {}]) {
        const [there, missing] = await Promise.all([send(route, headers), send(route, headers, 'no-such-tenant')]);
        expect({ ...missing.body, requestId: '' }).toEqual({ ...there.body, requestId: '' });
      }
    });
});

describe('tokens of Cognito', () => {
  let real: RunningApi;
  let member: Account;
  let operator: Account;
  beforeAll(async () => {
    real = await startApi();
    [member, operator] = await Promise.all([signUp(tenant, [groups.members]), signUpOperator()]);
  });
  afterAll(() => real.stop());
  const list = (token: string, of = tenant) => real.send(`/api/v1/tenants/${of.tenantId}/sessions`, { token });

  it('are taken, and forgeries of them are not', async () => {
    expect((await list(member.accessToken)).status).toBe(200);
    expect((await real.send('/api/v1/tenants', { token: operator.accessToken })).status).toBe(200);
    const administrator = await signUp(tenant, [groups.administrators]);
    const forged = [
      unsigned(member.accessToken),
      await signedWithPublicKey(member.accessToken, tenant),
      mixed(administrator.accessToken, member.accessToken),
      member.idToken,
      await ofOtherClient(tenant, member),
      operator.accessToken,
    ];
    for (const token of forged) expect(refusalIn(await list(token))).toEqual(refusal);
    expect(refusalIn(await list(member.accessToken, other))).toEqual(refusal);
  });

  it.each([
    ['suspended', 'tenant/suspended'],
    ['offboarding', 'tenant/leaving'],
  ] as const)("tell a tenant's own users that it is %s, and nobody else", async (status, code) => {
    const left = await newTenant();
    const user = await signUp(left, [groups.members]);
    await real.adapters.registry.transition({ tenantId: left.tenantId, from: ['active'], to: status, operationId: left.operationId });
    expect((await list(user.accessToken, left)).body).toMatchObject({ status: 409, code });
    expect(refusalIn(await list(member.accessToken, left))).toEqual(refusal);
  });
});

it('asks for a token before it says what else is wrong, where a header names the tenant', async () => {
  const ask = (headers: Headers) => api.send('/invocations', { method: 'POST', body: {}, headers: { 'x-amzn-bedrock-agentcore-runtime-session-id': 'nobody', ...headers } });
  expect(refusalIn(await ask({}))).toEqual(refusal);
  expect(refusalIn(await ask({ authorization: 'Basic x' }))).toEqual(refusal);
  expect((await ask(asBearer(mint.token(tenant)))).body).toMatchObject({ status: 400, code: 'request/malformed' });
});

it('allows clocks to differ by some seconds, and no more', async () => {
  const url = `/api/v1/tenants/${tenant.tenantId}/sessions`;
  const ask = async (seconds: number) => (await api.send(url, { token: mint.token(tenant, { exp: Math.floor(Date.now() / 1_000) + seconds }) })).status;
  expect([await ask(-2), await ask(-7)]).toEqual([200, 401]);
});
