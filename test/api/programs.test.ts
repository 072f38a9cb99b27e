import { setTimeout as delay } from 'node:timers/promises';
import type { ApiKey, MachineClient } from '../../src/contracts/access';
import type { SignedErasure } from '../../src/contracts/erasure';
import { apiKeyUser, groups, machineClientUser } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

jest.setTimeout(180_000);

type ShownClient = MachineClient & { oauthClientId: string; oauthClientSecret: string; tokenUrl: string };

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let operator: Account;
/** Who makes the programs. */
let maker: Account;
let administrator: Account;

beforeAll(async () => {
  [api, tenant, operator] = await Promise.all([startApi(), newTenant(), signUpOperator()]);
  [maker, administrator] = await Promise.all([signUp(tenant, [groups.administrators]), signUp(tenant, [groups.administrators])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const base = () => `/api/v1/tenants/${tenant.tenantId}`;
const post = async <Body>(path: string, token: string, body: object = {}) => (await api.send<Body>(`${base()}${path}`, { method: 'POST', token, body })).body;
const sessionsOf = async (token: string) => (await api.send<{ data?: { sessionId: string; userId: string }[] }>(`${base()}/sessions`, { token })).body.data;

async function ended(operationId: string): Promise<Operation> {
  for (;;) {
    const { body } = await api.send<Operation>(`/api/v1/operations/${operationId}`, { token: operator.accessToken });
    if (body.finishedAt !== undefined) return body;
    await delay(100);
  }
}

/** Erases a user, or a program as the user it acts as. */
async function erased(userId: string): Promise<SignedErasure['statement']> {
  const { operationId } = await post<Operation>(`/users/${userId}/erase`, operator.accessToken);
  expect(await ended(operationId)).toMatchObject({ state: 'completed' });
  const { body } = await api.send<{ statement: SignedErasure }>(`${base()}/erasures/${operationId}`, { token: operator.accessToken });
  return body.statement.statement;
}

async function tokenOf({ oauthClientId, oauthClientSecret, tokenUrl }: ShownClient): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: oauthClientId, client_secret: oauthClientSecret });
  return ((await (await fetch(tokenUrl, { method: 'POST', body })).json()) as { access_token: string }).access_token;
}

it('what a user made goes on when the user is erased, and is erased as a user of its own; a key is dead once its maker is disabled', async () => {
  const permissions = ['read:session', 'write:session'];
  const client = await post<ShownClient>('/machine-clients', maker.accessToken, { name: 'service', permissions });
  const { key, keyId } = await post<ApiKey & { key: string }>('/api-keys', maker.accessToken, { name: 'script', permissions });
  const token = await tokenOf(client);
  const [asClient, asKey] = [machineClientUser(client.clientId), apiKeyUser(keyId)];
  for (const by of [maker.accessToken, token, key]) await post('/sessions', by);

  const statement = await erased(maker.userId);
  expect(statement.sessions).toHaveLength(1);
  expect(statement.kept.map(({ what }) => what).join()).toContain('API keys and machine clients the user made');
  // An administrator sees everybody's.
  expect((await sessionsOf(maker.accessToken))?.map(({ userId }) => userId).sort()).toEqual([asClient, asKey].sort());
  expect((await sessionsOf(token))?.map(({ userId }) => userId)).toEqual([asClient]);
  expect((await sessionsOf(key))?.map(({ userId }) => userId)).toEqual([asKey]);
  const { data: clients } = (await api.send<{ data: MachineClient[] }>(`${base()}/machine-clients`, { token: operator.accessToken })).body;
  expect(clients).toMatchObject([{ clientId: client.clientId, createdBy: maker.userId }]);

  await api.send(`${base()}/users/${maker.userId}/disable`, { method: 'POST', token: administrator.accessToken, body: {} });
  while ((await sessionsOf(key)) !== undefined);
  expect(await sessionsOf(await tokenOf(client))).toHaveLength(1);

  for (const [program, by] of [[asClient, token], [asKey, undefined]] as const) {
    expect((await erased(program)).sessions).toHaveLength(1);
    if (by !== undefined) expect(await sessionsOf(by)).toEqual([]);
  }
  expect((await api.adapters.sessions.list(tenant.tenantId, { limit: 10 })).sessions).toEqual([]);
});
