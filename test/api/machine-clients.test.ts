/** @jest-environment ./test/support/outer-errors.ts */
import { DescribeUserPoolCommand, ListUserPoolClientsCommand } from '@aws-sdk/client-cognito-identity-provider';
import { createAccessStore } from '../../src/adapters/aws/access-store';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { deleteDomain } from '../../src/adapters/aws/machine-clients';
import { loadConfig } from '../../src/config';
import type { AuditEntry } from '../../src/contracts/audit';
import type { MachineClient } from '../../src/contracts/access';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { openLossyLine } from '../adapters/aws/lost-answers';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { untilRefused, untilStatus } from './until-status';

/** As in production, and a little for the requests themselves. */
const soon = 1_000 + 500;

const aws = createPlatformClients(loadConfig().aws);

let api: RunningApi;
/** Takes none of the requests that change anything. */
let replica: RunningApi;
let tenant: ServedTenant;
let other: ServedTenant;
let administrator: Account;
let member: Account;
let operator: Account;
beforeAll(async () => {
  [api, replica] = await Promise.all([startApi(), startApi()]);
  [tenant, other, operator] = await Promise.all([newTenant(), newTenant(), signUpOperator()]);
  [administrator, member] = await Promise.all([signUp(tenant, [groups.administrators]), signUp(tenant, [groups.members])]);
});
afterAll(() => Promise.all([api.stop(), replica.stop()]));

type Shown = MachineClient & { oauthClientId: string; oauthClientSecret: string; tokenUrl: string; scope: string };
type Refused = { code?: string };

const base = (of = tenant) => `/api/v1/tenants/${of.tenantId}`;
const post = <Body>(path: string, token: string, body: object = {}, headers = {}) => api.send<Body>(path, { method: 'POST', token, body, headers });
const register = (body: object = {}, { accessToken } = administrator) => post<Shown & Refused>(`${base()}/machine-clients`, accessToken, { name: 'nightly', permissions: ['read:session', 'write:session'], ...body });
const list = (server: RunningApi, token: string, of = tenant) => server.send<{ data: { userId: string }[] }>(`${base(of)}/sessions`, { token });

/** As a program does: by OAuth's client credentials, at the address it was told. */
async function ask({ oauthClientId, oauthClientSecret, tokenUrl }: Shown, scope?: string): Promise<{ status: number; token: string; error?: string }> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) });
  const authorization = `Basic ${Buffer.from(`${encodeURIComponent(oauthClientId)}:${encodeURIComponent(oauthClientSecret)}`).toString('base64')}`;
  const response = await fetch(tokenUrl, { method: 'POST', body, headers: { authorization } });
  const { access_token: token = '', error } = (await response.json()) as { access_token?: string; error?: string };
  return { status: response.status, token, ...(error !== undefined && { error }) };
}
const tokenOf = async (client: Shown, scope?: string) => (await ask(client, scope)).token;

const clientsInPool = async () => (await aws.cognito.send(new ListUserPoolClientsCommand({ UserPoolId: tenant.infrastructure.userPoolId, MaxResults: 60 }))).UserPoolClients?.map(({ ClientId }) => ClientId) ?? [];

describe('a machine client', () => {
  it('gets a token of the pool, does what it was given in its own name, and nothing else', async () => {
    const { status, headers, body } = await register({ description: 'counts sessions' });
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store']);
    expect(body).toMatchObject({ name: 'nightly', description: 'counts sessions', createdBy: administrator.userId, scope: 'tenure/read:session tenure/write:session' });
    const token = await tokenOf(body);
    await post(`${base()}/sessions`, member.accessToken);
    const own = await post<{ sessionId: string }>(`${base()}/sessions`, token);
    expect(own.status).toBe(201);
    expect((await list(replica, token)).body.data.map(({ userId }) => userId)).toEqual([`client-${body.clientId}`]);
    expect((await api.send(`${base()}/sessions/${own.body.sessionId}`, { token: member.accessToken })).status).toBe(404);
    for (const path of ['/config', '/usage', '/users', '/machine-clients']) expect((await api.send(`${base()}${path}`, { token })).status).toBe(403);
    expect((await post(`${base()}/machine-clients`, token, { name: 'more', permissions: ['read:session'] })).status).toBe(403);
  });

  it('has what its token has a scope for, and no scope beyond', async () => {
    const client = (await register()).body;
    const narrow = await tokenOf(client, 'tenure/read:session');
    expect([(await list(api, narrow)).status, (await post(`${base()}/sessions`, narrow)).status]).toEqual([200, 403]);
    expect((await ask(client, 'tenure/write:user')).token).toBe('');
    const wide = await tokenOf(client, 'tenure/write:config tenure/read:session');
    expect([(await list(api, wide)).status, (await api.send(`${base()}/config`, { method: 'PUT', token: wide, body: {} })).status]).toEqual([200, 403]);
    expect((await ask({ ...client, oauthClientSecret: `${client.oauthClientSecret}x` })).token).toBe('');
  });

  it('is answered by another tenant as a stranger is, whether that tenant is there or not', async () => {
    const token = await tokenOf((await register()).body);
    const [there, missing] = await Promise.all([list(api, token, other), api.send('/api/v1/tenants/no-such-tenant/sessions', { token })]);
    expect(there.status).toBe(401);
    expect({ ...there.body, requestId: '' }).toEqual({ ...missing.body, requestId: '' });
    expect((await api.send('/api/v1/tenants', { token })).status).toBe(401);
  });

  it('is shown with its secret once: neither a list nor a repeated request has it', async () => {
    const request = { method: 'POST', token: administrator.accessToken, body: { name: 'once', permissions: ['read:session'] }, headers: { 'idempotency-key': 'once' } };
    const { body } = await api.send<Shown>(`${base()}/machine-clients`, request);
    const before = await clientsInPool();
    expect((await api.send(`${base()}/machine-clients`, request)).body.code).toBe('machine-client/shown');
    expect(await clientsInPool()).toEqual(before);
    for (const { accessToken: token } of [administrator, operator]) {
      const listed = await api.send<{ data: MachineClient[] }>(`${base()}/machine-clients`, { token });
      expect(listed.body.data.find(({ clientId }) => clientId === body.clientId)).toMatchObject({ name: 'once', credentials: [{ oauthClientId: body.oauthClientId }] });
      expect(JSON.stringify(listed.body)).not.toContain(body.oauthClientSecret);
    }
    const stored = await api.adapters.accessStore.machineClients(tenant.tenantId);
    expect(JSON.stringify(stored)).not.toContain(body.oauthClientSecret);
  });

  it('is given by nobody what they do not have, nor what makes more of its kind', async () => {
    expect((await register({}, member)).status).toBe(403);
    expect((await register({}, operator)).status).toBe(401);
    for (const permissions of [['write:machine-client'], ['write:api-key'], [], ['read:everything']]) expect((await register({ permissions })).body.code).toBe('request/malformed');
  });

  it('is refused within the stated time once it is revoked, and gets no more tokens', async () => {
    const client = (await register()).body;
    const token = await tokenOf(client);
    expect((await list(replica, token)).status).toBe(200);
    const path = `${base()}/machine-clients/${client.clientId}`;
    const revoke = () => api.send<MachineClient>(path, { method: 'DELETE', token: operator.accessToken });
    const { status, body } = await revoke();
    expect(status).toBe(200);
    expect(await untilRefused(() => list(replica, token))).toBeLessThan(soon);
    expect((await list(api, token)).body).toMatchObject({ detail: expect.stringContaining('was revoked') as unknown });
    expect(await ask(client)).toMatchObject({ token: '', error: 'invalid_client' });
    expect((await revoke()).body.revokedAt).toBe(body.revokedAt);
    expect((await post<Refused>(`${path}/rotate`, administrator.accessToken)).body.code).toBe('machine-client/changed');
    expect((await api.send(`${base()}/machine-clients/${'0'.repeat(16)}`, { method: 'DELETE', token: operator.accessToken })).body.code).toBe('machine-client/not-found');
  });

  it('has another secret at once when it is rotated, or both for a while, and stays who it is', async () => {
    const first = (await register()).body;
    const rotate = async (body = {}) => (await post<Shown>(`${base()}/machine-clients/${first.clientId}/rotate`, administrator.accessToken, body)).body;
    const second = await rotate({ overlapSeconds: 600 });
    expect(second.clientId).toBe(first.clientId);
    const [old, current] = await Promise.all([tokenOf(first), tokenOf(second)]);
    expect((await post(`${base()}/sessions`, old)).status).toBe(201);
    expect((await list(api, current)).body.data.map(({ userId }) => userId)).toEqual([`client-${first.clientId}`]);
    const third = await rotate();
    for (const token of [old, current]) expect(await untilRefused(() => list(replica, token))).toBeLessThan(soon);
    for (const gone of [first, second]) expect((await ask(gone)).token).toBe('');
    expect((await list(replica, await tokenOf(third))).status).toBe(200);
  });

  it('is rotated once under one key, and who lost the secret rotates again without cutting off what is in use', async () => {
    const first = (await register()).body;
    const path = `${base()}/machine-clients/${first.clientId}/rotate`;
    const rotate = (key: string, overlapSeconds: number) => post<Shown & Refused>(path, administrator.accessToken, { overlapSeconds }, { 'idempotency-key': key });
    const { body: lost } = await rotate('one', 600);
    const before = await clientsInPool();
    expect((await rotate('one', 600)).body.code).toBe('machine-client/shown');
    expect((await rotate('one', 0)).body.code).toBe('idempotency/key-reused');
    expect(await clientsInPool()).toEqual(before);
    const { body: found } = await rotate('two', 6_000);
    expect(found.credentials.map(({ oauthClientId }) => oauthClientId)).toEqual([found, lost, first].map(({ oauthClientId }) => oauthClientId));
    expect(found.credentials[2]).toEqual(lost.credentials[1]);
    for (const good of [first, found]) expect((await list(replica, await tokenOf(good))).status).toBe(200);
    // What came late is known still, though another has rotated since.
    expect((await rotate('one', 600)).body.code).toBe('machine-client/shown');
    expect(JSON.stringify((await api.send(`${base()}/machine-clients`, { token: operator.accessToken })).body)).not.toContain('rotations');
    for (const key of ['three', 'four']) expect((await rotate(key, 600)).status).toBe(200);
    expect((await rotate('five', 600)).body.code).toBe('machine-client/too-many-secrets');
    expect((await rotate('six', 0)).body.credentials).toHaveLength(1);
    expect((await ask(first)).token).toBe('');
  });

  it('is rotated once by two requests under one key that come at once', async () => {
    const { clientId, oauthClientId } = (await register()).body;
    const before = (await clientsInPool()).length;
    const rotate = () => post<Shown & Refused>(`${base()}/machine-clients/${clientId}/rotate`, administrator.accessToken, { overlapSeconds: 600 }, { 'idempotency-key': 'at once' });
    const answers = await Promise.all([rotate(), rotate()]);
    expect(answers.map(({ body: { code } }) => code ?? 'done').sort()).toEqual(['done', 'machine-client/shown']);
    const [stored] = (await api.adapters.accessStore.machineClients(tenant.tenantId)).filter((client) => client.clientId === clientId);
    expect(stored?.credentials.map((credential) => credential.oauthClientId)).toEqual([answers.find(({ status }) => status === 200)?.body.oauthClientId, oauthClientId]);
    expect(await clientsInPool()).toHaveLength(before + 1);
  });

  it('keeps its secret when DynamoDB does not say whether it was noted: it may be in use', async () => {
    const first = (await register()).body;
    const line = await openLossyLine();
    const behindIt = await startApi({ accessStore: createAccessStore(createPlatformClients(line.settings)) });
    const rotate = (key: string) => behindIt.send<Shown & Refused>(`${base()}/machine-clients/${first.clientId}/rotate`, { method: 'POST', token: administrator.accessToken, body: {}, headers: { 'idempotency-key': key } });
    // As often as the SDK tries.
    line.loseNext('UpdateItem', 3);
    expect((await rotate('unheard')).body.code).toBe('dependency/unavailable');
    const stored = (await api.adapters.accessStore.machineClients(tenant.tenantId)).find(({ clientId }) => clientId === first.clientId);
    expect(await clientsInPool()).toContain(stored?.credentials[0]?.oauthClientId);
    expect((await rotate('unheard')).body.code).toBe('machine-client/shown');
    line.loseNext('UpdateItem', 2);
    expect((await list(replica, await tokenOf((await rotate('another')).body))).status).toBe(200);
    line.close();
    await behindIt.stop();
  });

  it('may do what it was given since within the stated time, with the tokens it has; its secret, name and tokens go on', async () => {
    const client = (await register({ description: 'counts' })).body;
    const token = await tokenOf(client);
    const change = (body: object, { accessToken } = administrator) => api.send<MachineClient & Refused>(`${base()}/machine-clients/${client.clientId}`, { method: 'PATCH', token: accessToken, body });
    const config = () => replica.send(`${base()}/config`, { token });
    expect([(await config()).status, (await list(replica, token)).status]).toEqual([403, 200]);
    const { credentials } = client;
    expect(await change({ permissions: ['read:config'], name: 'reader' })).toMatchObject({ status: 200, body: { clientId: client.clientId, name: 'reader', description: 'counts', permissions: ['read:config'], credentials } });
    expect(await untilStatus(200, config)).toBeLessThan(soon);
    expect((await list(replica, token)).status).toBe(403);
    expect((await change({ name: 'still a reader' })).body).toMatchObject({ name: 'still a reader', permissions: ['read:config'] });
    await change({ permissions: ['read:session'] });
    expect(await untilRefused(config, 403)).toBeLessThan(soon);
    expect((await list(replica, await tokenOf(client))).status).toBe(200);
  });

  it('is changed by nobody who may not register one, to nothing that cannot be given, and not when it was revoked', async () => {
    const client = (await register()).body;
    const path = `${base()}/machine-clients/${client.clientId}`;
    const change = (token: string, body: object = { permissions: ['read:config'] }, at = path) => api.send<Refused>(at, { method: 'PATCH', token, body });
    for (const token of [member.accessToken, await tokenOf(client)]) expect((await change(token)).status).toBe(403);
    expect((await change(operator.accessToken)).status).toBe(401);
    expect((await change(administrator.accessToken, {})).body).toMatchObject({ name: 'nightly', permissions: ['read:session', 'write:session'] });
    for (const body of [{ permissions: [] }, { permissions: ['write:api-key'] }, { createdBy: 'me' }]) expect((await change(administrator.accessToken, body)).body.code).toBe('request/malformed');
    expect((await change(administrator.accessToken, { name: 'x' }, `${base()}/machine-clients/${'0'.repeat(16)}`)).body.code).toBe('machine-client/not-found');
    expect((await api.adapters.accessStore.machineClients(tenant.tenantId)).find(({ clientId }) => clientId === client.clientId)).toMatchObject({ name: 'nightly', permissions: ['read:session', 'write:session'] });
    await api.send(path, { method: 'DELETE', token: administrator.accessToken });
    expect((await change(administrator.accessToken)).body.code).toBe('machine-client/changed');
  });

  it('is named in the audit log', async () => {
    const client = (await register()).body;
    const made = await post(`${base()}/sessions`, await tokenOf(client));
    const entries: AuditEntry[] = [];
    while (entries.length < 2) {
      entries.length = 0;
      for await (const entry of api.adapters.audit.read(tenant.tenantId)) if (entry.requestId === made.headers.get('x-request-id')) entries.push(entry);
    }
    for (const { actor, action } of entries) expect([actor, action]).toEqual([{ kind: 'user', id: `client-${client.clientId}` }, 'POST /api/v1/tenants/{tenantId}/sessions']);
  });

  it('is out when everybody of the tenant is signed out, until it is rotated', async () => {
    const left = await newTenant();
    const [admin] = await Promise.all([signUp(left, [groups.administrators])]);
    const at = `${base(left)}/machine-clients`;
    const client = (await post<Shown>(at, admin.accessToken, { name: 'm', permissions: ['read:session'] })).body;
    expect((await list(replica, await tokenOf(client), left)).status).toBe(200);
    await post(`${base(left)}/sign-out`, operator.accessToken);
    // Cognito knows nothing of it, and gives it tokens still.
    expect(await untilRefused(async () => list(replica, await tokenOf(client), left))).toBeLessThan(soon);
  });
});

it('a pool has a domain with its first machine client, and another if that was taken away', async () => {
  const { userPoolId: UserPoolId } = other.infrastructure;
  const domain = async () => (await aws.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))).UserPool?.Domain;
  const make = () => api.adapters.machineClients.create(UserPoolId, { name: 'm' });
  expect(await domain()).toBeUndefined();
  await Promise.all([make(), make()]);
  const first = await domain();
  expect(first).toMatch(/^tenure-[0-9a-f]{20}$/);
  await deleteDomain(aws.cognito, UserPoolId);
  expect(await domain()).toBeUndefined();
  await deleteDomain(aws.cognito, UserPoolId);
  await make();
  expect(await domain()).not.toBe(first);
});

it('a tenant has so many machine clients', async () => {
  const crowded = await newTenant();
  const admin = await signUp(crowded, [groups.administrators]);
  const now = new Date().toISOString();
  const { accessStore } = api.adapters;
  const stored = (index: number) => ({ clientId: String(index).padStart(16, '0'), name: 'm', permissions: [], credentials: [{ oauthClientId: `c${index}`, since: now }], createdBy: 'ada', createdAt: now });
  await Promise.all(Array.from({ length: 50 }, (_, index) => accessStore.addMachineClient(crowded.tenantId, stored(index))));
  const make = () => post<Refused>(`${base(crowded)}/machine-clients`, admin.accessToken, { name: 'm', permissions: ['read:session'] });
  expect((await make()).body.code).toBe('machine-client/too-many');
  await accessStore.revokeMachineClient(crowded.tenantId, stored(0).clientId);
  expect((await make()).status).toBe(201);
});
