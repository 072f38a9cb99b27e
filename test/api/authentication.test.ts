import type { Route } from '../../src/api/route';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { permissionsOf, type Realm } from '../../src/domain/permissions';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { mixed, ofOtherClient, signedWithPublicKey, unsigned } from './forgery';
import { declaredRoutes, requestTo, titleOf } from './requests';
import { type Answer, type RunningApi, startApi } from './running-api';

type Forgery = 'unsigned' | 'signed with the public key' | 'claims of one, signature of another' | 'id token' | "another client's" | "another tenant's";
const forgeries: readonly Forgery[] = ['unsigned', 'signed with the public key', 'claims of one, signature of another', 'id token', "another client's", "another tenant's"];
const nonsense = ['garbage', 'a.b.c', 'eyJhbGciOiJSUzI1NiJ9.e30.', 'x'.repeat(8_000)];

const guarded = (realm: Realm | 'either'): [title: string, route: Route][] =>
  declaredRoutes.flatMap((route) => (route.access !== 'public' && route.access.realm === realm ? [[titleOf(route), route]] : []));
const permissionOf = ({ access }: Route) => (access === 'public' ? undefined : access.permission);

let api: RunningApi;
let tenant: ServedTenant;
let administrator: Account;
let member: Account;
let guest: Account;
let operator: Account;
let forged: Record<Forgery, string>;

beforeAll(async () => {
  api = await startApi();
  let other: ServedTenant;
  [tenant, other, operator] = await Promise.all([newTenant(), newTenant(), signUpOperator()]);
  let stranger: Account;
  [administrator, member, guest, stranger] = await Promise.all([
    signUp(tenant, [groups.administrators]),
    signUp(tenant, [groups.members]),
    signUp(tenant, []),
    signUp(other, [groups.administrators]),
  ]);
  forged = {
    unsigned: unsigned(administrator.accessToken),
    'signed with the public key': await signedWithPublicKey(administrator.accessToken, tenant),
    'claims of one, signature of another': mixed(administrator.accessToken, member.accessToken),
    'id token': administrator.idToken,
    "another client's": await ofOtherClient(tenant, administrator),
    "another tenant's": stranger.accessToken,
  };
});
afterAll(() => api.stop());

const send = (route: Route, token: string | undefined, tenantId = tenant.tenantId, headers = {}) => {
  const { path, request } = requestTo(route, tenantId);
  return api.send(path, { ...request, token, headers: { ...request.headers, ...headers } });
};

/** Past the door, and refused right behind it: nothing is carried out. */
const knock = (route: Route, token: string) => send(route, token, tenant.tenantId, { 'idempotency-key': 'x'.repeat(256) });

function expectRefusal({ status, headers, body }: Answer): void {
  expect({ status, code: body.code, challenge: headers.get('www-authenticate') }).toEqual({ status: 401, code: 'auth/unauthenticated', challenge: 'Bearer' });
}

/** Days from now, for whoever asks for the date; timers run as ever. */
async function daysLater<T>(days: number, act: () => Promise<T>): Promise<T> {
  jest.useFakeTimers({ now: Date.now() + days * 86_400_000, doNotFake: [...timers] });
  try {
    return await act();
  } finally {
    jest.useRealTimers();
  }
}
const timers = ['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const;

describe.each(guarded('tenant'))('%s', (_title, route) => {
  it('refuses a request without a token', async () => expectRefusal(await send(route, undefined)));

  it.each(nonsense)('refuses %.20s', async (token) => expectRefusal(await send(route, token)));

  it.each(forgeries)('refuses a token that is %s', async (kind) => expectRefusal(await send(route, forged[kind])));

  it("refuses an operator's token", async () => expectRefusal(await send(route, operator.accessToken)));

  it('refuses another scheme', async () => {
    expectRefusal(await send(route, undefined, tenant.tenantId, { authorization: `Basic ${administrator.accessToken}` }));
  });

  /** Guarantees that a stranger cannot find out which tenants there are. */
  it('answers a stranger alike, whether the tenant is there or not', async () => {
    const there = await send(route, forged["another tenant's"]);
    const missing = await send(route, forged["another tenant's"], 'no-such-tenant');
    expect({ ...missing.body, requestId: '' }).toEqual({ ...there.body, requestId: '' });
  });

  it.each([
    ['a member', () => member, groups.members],
    ['an administrator', () => administrator, groups.administrators],
    ['a user without groups', () => guest, ''],
  ])('lets %s pass only with its permission', async (_who, account, group) => {
    const isAllowed = permissionsOf('tenant', [group]).has(permissionOf(route) ?? 'invoke:agent');
    expect((await knock(route, account().accessToken)).body.code).toBe(isAllowed ? 'request/malformed' : 'auth/forbidden');
  });
});

describe.each(guarded('operator'))('%s', (_title, route) => {
  it('refuses a request without a token', async () => expectRefusal(await send(route, undefined)));
  it.each(nonsense)('refuses %.20s', async (token) => expectRefusal(await send(route, token)));
  it('refuses the token of a tenant, whatever its groups are called', async () => {
    const impostor = await signUp(tenant, [groups.administrators]);
    expectRefusal(await send(route, impostor.accessToken));
  });
  it('refuses an id token', async () => expectRefusal(await send(route, operator.idToken)));
  it('refuses an unsigned token', async () => expectRefusal(await send(route, unsigned(operator.accessToken))));
  it('lets an operator pass', async () => expect((await knock(route, operator.accessToken)).body.code).toBe('request/malformed'));
});

describe.each(guarded('either'))('%s', (_title, route) => {
  it('refuses a request without a token', async () => expectRefusal(await send(route, undefined)));
  it.each(nonsense)('refuses %.20s', async (token) => expectRefusal(await send(route, token)));
  it.each(forgeries)('refuses a token that is %s', async (kind) => expectRefusal(await send(route, forged[kind])));
  it('refuses forged tokens of operators', async () => {
    for (const token of [operator.idToken, unsigned(operator.accessToken), mixed(operator.accessToken, administrator.accessToken)]) expectRefusal(await send(route, token));
  });
  it('answers a stranger alike, whether the tenant is there or not', async () => {
    const there = await send(route, forged["another tenant's"]);
    const missing = await send(route, forged["another tenant's"], 'no-such-tenant');
    expect({ ...missing.body, requestId: '' }).toEqual({ ...there.body, requestId: '' });
  });
  it('lets operators and administrators pass, and nobody else', async () => {
    for (const { accessToken } of [operator, administrator]) expect((await knock(route, accessToken)).body.code).toBe('request/malformed');
    for (const { accessToken } of [member, guest]) expect((await knock(route, accessToken)).body.code).toBe('auth/forbidden');
  });
  it('tells an operator that there is no such tenant', async () => {
    expect((await send(route, operator.accessToken, 'no-such-tenant')).body).toMatchObject({ status: 404, code: 'tenant/not-found' });
  });
});

it('refuses a token that has expired', async () => {
  const url = `/api/v1/tenants/${tenant.tenantId}/sessions`;
  expect((await api.send(url, { token: member.accessToken })).status).toBe(200);
  expectRefusal(await daysLater(2, () => api.send(url, { token: member.accessToken })));
});

it.each([
  ['suspended', 'tenant/suspended'],
  ['offboarding', 'tenant/leaving'],
] as const)("tells a tenant's own users that it is %s, and nobody else", async (status, code) => {
  const left = await newTenant();
  const user = await signUp(left, [groups.members]);
  const { operationId } = left;
  await api.adapters.registry.transition({ tenantId: left.tenantId, from: ['active'], to: status, operationId });
  const url = `/api/v1/tenants/${left.tenantId}/sessions`;
  expect((await api.send(url, { token: user.accessToken })).body).toMatchObject({ status: 409, code });
  expectRefusal(await api.send(url, { token: member.accessToken }));
});
