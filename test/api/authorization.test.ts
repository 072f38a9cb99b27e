import type { AppDeps } from '../../src/api/app';
import type { Route } from '../../src/api/route';
import { makeApiKey } from '../../src/api/api-key-text';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { delegable } from '../../src/domain/admission';
import { type Permission, permissionsOf, type Realm, roles } from '../../src/domain/permissions';
import { type Account, newTenant, signUp } from './accounts';
import { Mint } from './mint';
import { declaredRoutes, requestTo, titleOf, toolDocument } from './requests';
import { type Answer, type RunningApi, startApi } from './running-api';

/** Somebody a route may or may not be open to. */
interface Who {
  readonly realm: Realm;
  readonly token: () => string;
  readonly permissions: ReadonlySet<Permission>;
}

let api: RunningApi;
let mint: Mint;
let tenant: ServedTenant;
let other: ServedTenant;
/** Made before the tests, by the permission each has. */
const keys = new Map<Permission, string>();
/** Of a machine client that was given this, whatever its tokens say. */
const machine = (permission: Permission) => `machine-of-${permission.replace(':', '-')}`;

beforeAll(async () => {
  mint = await Mint.start();
  api = await startApi({ issuers: mint.issuers });
  [tenant, other] = await Promise.all([newTenant(), newTenant()]);
  for (const [index, permission] of delegable.entries()) {
    const keyId = String(index).padStart(16, '1');
    const { text, digest } = makeApiKey(keyId);
    const times = { createdAt: new Date(Date.now() - 60_000).toISOString(), expiresAt: new Date(Date.now() + 600_000).toISOString() };
    await api.adapters.accessStore.addKey(tenant.tenantId, { keyId, digest, name: 'k', permissions: [permission], createdBy: 'ada', ...times });
    keys.set(permission, text);
    const credentials = [{ oauthClientId: machine(permission), since: times.createdAt }];
    await api.adapters.accessStore.addMachineClient(tenant.tenantId, { clientId: keyId, name: 'm', permissions: [permission], credentials, createdBy: 'ada', createdAt: times.createdAt });
  }
});
afterAll(async () => {
  await api.stop();
  mint.stop();
});

const ofRole = (realm: Realm, group: string): Who => ({
  realm,
  token: () => mint.token(realm === 'tenant' ? tenant : undefined, { 'cognito:groups': [group] }),
  permissions: permissionsOf(realm, [group]),
});

const everybody: readonly (readonly [name: string, who: Who])[] = [
  ...(['tenant', 'operator'] as const).flatMap((realm) => ['', 'unknown', ...Object.keys(roles.tenant), ...Object.keys(roles.operator)].map((group) => [`${realm} ${group || 'without a role'}`, ofRole(realm, group)] as const)),
  ...delegable.map((permission) => [`key for ${permission}`, { realm: 'tenant', token: () => keys.get(permission) ?? '', permissions: new Set([permission]) }] as const),
  ...(['read:session', 'write:config'] as const).map((permission) => [`machine client for ${permission}, with a token for all`, { realm: 'tenant', token: () => mint.machineToken(tenant, machine(permission), delegable), permissions: new Set([permission]) }] as const),
  ['machine client with a token for something else', { realm: 'tenant', token: () => mint.machineToken(tenant, machine('read:session'), ['read:usage', 'write:machine-client']), permissions: new Set() }],
];

const guarded = declaredRoutes.flatMap((route): [title: string, route: Route][] => (route.access === 'public' ? [] : [[titleOf(route), route]]));

/** What a route says to somebody, by nothing but whose pool, and which permissions. */
function expectedOf({ access }: Route, { realm, permissions }: Who): string {
  if (access === 'public') throw new Error('Everybody may.');
  if (access.realm !== 'either' && access.realm !== realm) return 'auth/unauthenticated';
  return permissions.has(access.permission) ? 'request/malformed' : 'auth/forbidden';
}

/** Past the door, and refused right behind it: nothing is carried out. */
async function knock(route: Route, token: string): Promise<string | undefined> {
  const { path, request } = requestTo(route, tenant.tenantId);
  return (await api.send(path, { ...request, token, headers: { ...request.headers, 'idempotency-key': 'x'.repeat(256) } })).body.code;
}

describe.each(guarded)('%s', (_title, route) => {
  it('is open to those who have its permission, and to nobody else', async () => {
    const answers = await Promise.all(everybody.map(async ([name, who]) => [name, await knock(route, who.token())]));
    expect(answers).toEqual(everybody.map(([name, who]) => [name, expectedOf(route, who)]));
  });
});

it('asks each permission somewhere, but for that which waits for its route', () => {
  const asked = new Set(guarded.flatMap(([, { access }]) => (access === 'public' ? [] : [access.permission])));
  const unasked = [...new Set(Object.values(roles).flatMap((ofRealm) => Object.values(ofRealm).flatMap(({ permissions }) => permissions)))].filter((permission) => !asked.has(permission));
  expect(unasked.filter((permission) => !['approve:tool', 'read:any-session', 'write:any-schedule', 'write:any-memory'].includes(permission))).toEqual([]);
});

describe('what is another’s', () => {
  /** What each kind of object is called in a path. Whose kind is new must be added here, or its routes fail. */
  type Kind = 'sessionId' | 'userId' | 'keyId' | 'clientId' | 'agentName' | 'source' | 'schedule' | 'factId';
  let real: RunningApi;
  /** Notes what is asked about objects. */
  let watched: RunningApi;
  const calls: string[] = [];
  let ada: Account;
  let bob: Account;
  let admin: Account;
  let approver: Account;
  /** One of another user of the tenant, and one of another tenant. */
  let others: Readonly<Record<Kind, readonly [colleagues: string, strangers: string]>>;

  beforeAll(async () => {
    real = await startApi();
    watched = await startApi(watching(real.deps, calls));
    let stranger: Account;
    let strangersAdmin: Account;
    [ada, bob, admin, approver, stranger, strangersAdmin] = await Promise.all([
      signUp(tenant, [groups.members]),
      signUp(tenant, [groups.members]),
      signUp(tenant, [groups.administrators]),
      signUp(tenant, [groups.approvers]),
      signUp(other, [groups.members]),
      signUp(other, [groups.administrators]),
    ]);
    const made = async <Body>(of: ServedTenant, path: string, token: string, body: object) => (await real.send<Body>(`/api/v1/tenants/${of.tenantId}/${path}`, { method: 'POST', token, body })).body;
    const session = async (of: ServedTenant, { accessToken }: Account) => (await made<{ sessionId: string }>(of, 'sessions', accessToken, {})).sessionId;
    const key = async (of: ServedTenant, { accessToken }: Account) => (await made<{ keyId: string }>(of, 'api-keys', accessToken, { name: 'k', permissions: ['read:usage'] })).keyId;
    const client = async (of: ServedTenant, { accessToken }: Account) => (await made<{ clientId: string }>(of, 'machine-clients', accessToken, { name: 'm', permissions: ['read:usage'] })).clientId;
    const agent = async (of: ServedTenant, { accessToken }: Account) => (await made<{ name: string }>(of, 'agents', accessToken, { name: 'theirs', settings: {} })).name;
    const source = async (of: ServedTenant, { accessToken }: Account) =>
      (await real.send<{ name: string }>(`/api/v1/tenants/${of.tenantId}/tool-sources/theirs`, { method: 'PUT', token: accessToken, body: { settings: { kind: 'openapi' }, document: toolDocument } })).body.name;
    const schedule = async (of: ServedTenant, { accessToken }: Account) => (await made<{ name: string }>(of, 'schedules', accessToken, { name: 'theirs', prompt: 'Hello', times: { everySeconds: 86_400 } })).name;
    const fact = async ({ tenantId }: ServedTenant, { userId }: Account) => (await real.adapters.memory.remember({ tenantId, userId }, { requestId: 'theirs', text: 'Likes tea.' })).factId;
    others = {
      sessionId: [await session(tenant, bob), await session(other, stranger)],
      userId: ['', stranger.userId],
      keyId: ['', await key(other, strangersAdmin)],
      clientId: ['', await client(other, strangersAdmin)],
      agentName: ['', await agent(other, strangersAdmin)],
      source: ['', await source(other, strangersAdmin)],
      schedule: [await schedule(tenant, bob), await schedule(other, stranger)],
      factId: [await fact(tenant, bob), await fact(other, stranger)],
    };
  });
  afterAll(async () => {
    await watched.stop();
    await real.stop();
  });

  /** Approvers decide in the sessions of their colleagues; an approval belongs to whoever its session does. */
  const isApprovers = ({ access }: Route) => access !== 'public' && access.permission === 'approve:tool';
  const askerOf = (route: Route, kind: Kind) => (isApprovers(route) ? approver : kind === 'sessionId' || kind === 'schedule' || kind === 'factId' ? ada : admin);
  const othersOf = (route: Route, kind: Kind) => others[kind].slice(isApprovers(route) ? 1 : 0).filter((id) => id !== '');
  const kinds: readonly Kind[] = ['sessionId', 'userId', 'keyId', 'clientId', 'agentName', 'source', 'schedule', 'factId'];
  /** Makes what is not there: nobody is told that it is missing. */
  const makes = ({ method, path }: Route) => method === 'put' && path.endsWith('/tool-sources/{source}');
  const withObjects = guarded.filter(([, route]) => !makes(route)).flatMap(([title, route]) =>
    route.access !== 'public' && route.access.realm !== 'operator' ? kinds.flatMap((kind): [string, Route, Kind][] => (route.path.includes(`{${kind}}`) ? [[title, route, kind]] : [])) : [],
  );

  /** All of an answer but what belongs to the request: its id (and the ETag of a body that holds it), its time, what is left of the rate. */
  const sayingOf = ({ status, headers, body }: Answer<{ requestId?: string }>) => ({
    status,
    headers: Object.fromEntries([...headers].filter(([name]) => !['x-request-id', 'date', 'etag', 'ratelimit-remaining', 'ratelimit-reset'].includes(name))),
    body: { ...body, requestId: '' },
  });
  const ask = (server: RunningApi, route: Route, given: Record<string, string>, { accessToken }: Account) => {
    const { path, request } = requestTo(route, tenant.tenantId, given);
    return server.send(path, { ...request, token: accessToken });
  };

  it('has routes to be tried at, all of whose objects are known', () => {
    expect(withObjects.length).toBeGreaterThan(8);
    const places = new Set(guarded.flatMap(([, route]) => (route.access !== 'public' && route.access.realm !== 'operator' ? [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name) : [])));
    expect([...places].filter((name) => !['tenantId', 'approvalId', 'attachmentId', 'questionId', 'turnId', 'version', 'alias', 'operationId'].includes(name ?? '')).sort()).toEqual([...kinds].sort());
  });

  it.each(withObjects)('%s: answers word for word as for what is missing', async (_title, route, kind) => {
    const user = askerOf(route, kind);
    const missing = sayingOf(await ask(real, route, {}, user));
    expect(missing.status).toBe(404);
    for (const id of othersOf(route, kind)) expect(sayingOf(await ask(real, route, { [kind]: id }, user))).toEqual(missing);
  });

  /** Time is what is asked on the way. */
  it.each(withObjects)('%s: asks the same of the same services as for what is missing', async (_title, route, kind) => {
    const user = askerOf(route, kind);
    // Whose token it is, and who the tenant is, is known: what follows is about the object alone. Owners are known, too.
    await ask(watched, route, {}, user);
    if (kind === 'sessionId') await watched.send(`/api/v1/tenants/${tenant.tenantId}/sessions/${others[kind][0]}`, { token: bob.accessToken });
    const callsFor = async (given: Record<string, string>) => {
      calls.length = 0;
      await ask(watched, route, given, user);
      return [...calls];
    };
    const missing = await callsFor({});
    expect(missing.length).toBeGreaterThan(0);
    for (const id of othersOf(route, kind)) expect(await callsFor({ [kind]: id })).toEqual(missing);
  });
});

/** The same, which notes each call of what is asked about objects. */
function watching(deps: AppDeps, calls: string[]): Partial<AppDeps> {
  const names = ['sessions', 'messages', 'sessionWorkflows', 'log', 'live', 'users', 'accessStore', 'machineClients', 'approvals', 'questions', 'agents', 'toolSources', 'agentSchedules', 'agentClock', 'memory'] as const;
  const watched = names.map((name) => [
    name,
    new Proxy(deps[name] as object, {
      get(target, method, receiver) {
        const value: unknown = Reflect.get(target, method, receiver);
        return typeof value !== 'function' ? value : (...args: unknown[]): unknown => (calls.push(`${name}.${String(method)}`), Reflect.apply(value, target, args));
      },
    }),
  ]);
  return Object.fromEntries(watched) as Partial<AppDeps>;
}
