import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { groups } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { newTenantId } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let bob: Account;
let operator: Account;

beforeAll(async () => {
  [api, tenant, operator] = await Promise.all([startApi(), newTenant(), signUpOperator()]);
  [alice, bob] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const send = <Body>(path: string, { accessToken: token }: Account, body?: object, key: string = randomUUID()) =>
  api.send<Body & { code?: string }>(path, { token, headers: { 'idempotency-key': key }, ...(body && { method: 'POST', body }) });
const sessionsPath = () => `/api/v1/tenants/${tenant.tenantId}/sessions`;
const open = async (account: Account) => (await send<SessionRecord>(sessionsPath(), account, {})).body.sessionId;
const erase = (sessionId: string, account: Account, key?: string) => send<Operation>(`${sessionsPath()}/${sessionId}/erase`, account, {}, key);

async function ended({ operationId }: Operation): Promise<Operation> {
  for (;;) {
    const { body } = await send<Operation>(`/api/v1/operations/${operationId}`, operator);
    if (body.finishedAt !== undefined) return body;
    await delay(100);
  }
}

/** Runs until it is cancelled: nobody serves its tenant. */
async function otherOperation(): Promise<Operation> {
  return (await send<Operation>('/api/v1/tenants', operator, { tenantId: newTenantId(), administrator: { email: 'admin@example.com' } })).body;
}

it("is under a key of its user's own: another user's of the same key is another one", async () => {
  const key = randomUUID();
  const [ofBob, ofAlice] = [await open(bob), await open(alice)];
  const first = await erase(ofBob, bob, key);
  expect(first.status).toBe(202);
  await ended(first.body);
  const second = await erase(ofAlice, alice, key);
  expect(second).toMatchObject({ status: 202, body: { erasure: { subject: { sessionId: ofAlice } } } });
  expect((await erase(await open(alice), alice, key)).body.code).toBe('idempotency/key-reused');
  await ended(second.body);
});

it('begins under its key once the tenant is free, after it was refused because another operation worked on it', async () => {
  const [key, sessionId] = [randomUUID(), await open(alice)];
  const { operationId } = await otherOperation();
  await api.adapters.registry.claim(tenant.tenantId, operationId);
  const busy = () => erase(sessionId, alice, key);
  for (const answer of [await busy(), await busy()]) expect(answer).toMatchObject({ status: 409, body: { code: 'tenant/busy' } });
  await api.adapters.registry.releaseClaim(tenant.tenantId, operationId);

  // What was refused may still be ending.
  const begun = async () => {
    for (;;) {
      const answer = await erase(sessionId, alice, key);
      if (answer.status !== 409) return answer;
      await delay(200);
    }
  };
  const [first, again] = await Promise.all([begun(), begun()]);
  expect([first.status, again.status, again.body.operationId]).toEqual([202, 202, first.body.operationId]);
  expect(await ended(first.body)).toMatchObject({ state: 'completed' });
  await send(`/api/v1/operations/${operationId}/cancel`, operator, {});
});

it('is told again to whoever asked for it, under its key, when its session is gone; to nobody else', async () => {
  const [key, sessionId] = [randomUUID(), await open(alice)];
  const first = await erase(sessionId, alice, key);
  await ended(first.body);
  // Whose a session was is remembered for a while.
  await api.stop();
  api = await startApi();
  expect(await erase(sessionId, alice, key)).toMatchObject({ status: 202, body: { operationId: first.body.operationId, state: 'completed' } });
  for (const [account, other] of [[alice, randomUUID()], [bob, key]] as const) expect((await erase(sessionId, account, other)).body).toMatchObject({ status: 404, code: 'session/not-found' });
});
