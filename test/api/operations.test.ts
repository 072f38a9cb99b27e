import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Operation, OperationSummary } from '../../src/contracts/operation';
import { newTenantId } from '../adapters/aws/tenants';
import { type Account, signUpOperator } from './accounts';
import { readEvents } from './events';
import { type ApiRequest, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let operator: Account;

beforeAll(async () => {
  [api, operator] = await Promise.all([startApi(), signUpOperator()]);
  stopWorkers = await startWorkers(api.adapters, []);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const asOperator = (request: ApiRequest = {}): ApiRequest => ({ token: operator.accessToken, ...request });
const pathOf = ({ operationId }: Pick<Operation, 'operationId'>, verb = '') => `/api/v1/operations/${operationId}${verb}`;
const post = (path: string) => api.send<Operation & { code?: string }>(path, asOperator({ method: 'POST' }));

/** Nobody serves the tenant's queue: it waits in the step `worker` until it is cancelled. */
async function waitingOnboarding(tenantId = newTenantId()): Promise<Operation> {
  const body = { tenantId, administrator: { email: 'admin@example.com' } };
  return (await api.send<Operation>('/api/v1/tenants', asOperator({ method: 'POST', body, headers: { 'idempotency-key': randomUUID() } }))).body;
}

const list = async (query: string) => (await api.send<{ data: OperationSummary[]; nextCursor?: string }>(`/api/v1/operations?${query}`, asOperator())).body;

/** Temporal's list lags behind. */
async function listed(query: string, isThere: (data: readonly OperationSummary[]) => boolean): Promise<OperationSummary[]> {
  for (;;) {
    const { data } = await list(query);
    if (isThere(data)) return data;
    await delay(50);
  }
}

async function* follow(operation: Pick<Operation, 'operationId'>, after?: number): AsyncGenerator<{ id: string | undefined; operation: Operation }> {
  const headers = after === undefined ? {} : { 'last-event-id': String(after) };
  for await (const { id, entry } of readEvents(api.url + pathOf(operation, '/events'), asOperator({ headers }))) yield { id, operation: entry as unknown as Operation };
}

describe('the list', () => {
  it('finds operations by tenant, kind and state, newest first', async () => {
    const { tenantId, operationId } = await waitingOnboarding();
    const [only] = await listed(`tenantId=${tenantId}`, ({ length }) => length === 1);
    expect(only).toMatchObject({ operationId, tenantId, kind: 'onboarding', state: 'running', stuck: false });
    expect(only).not.toHaveProperty('finishedAt');
    expect((await list(`tenantId=${tenantId}&kind=offboarding`)).data).toEqual([]);
    expect((await list(`tenantId=${tenantId}&state=completed`)).data).toEqual([]);
    expect((await list(`tenantId=${tenantId}&stuck=true`)).data).toEqual([]);
    expect((await list(`tenantId=${tenantId}&stuck=false&state=running`)).data).toHaveLength(1);

    expect((await post(pathOf({ operationId }, '/cancel'))).headers.get('location')).toBe(pathOf({ operationId }));
    const [cancelled] = await listed(`tenantId=${tenantId}&state=cancelled`, ([one]) => one?.finishedAt !== undefined);
    expect(cancelled).toMatchObject({ operationId, state: 'cancelled', finishedAt: expect.any(String) as unknown });
  });

  it('comes in pages, each operation once', async () => {
    const tenantId = newTenantId();
    for (let count = 0; count < 3; count += 1) {
      const { operationId } = await waitingOnboarding(tenantId);
      for await (const { operation } of follow({ operationId })) if (operation.state === 'running') await post(pathOf({ operationId }, '/cancel'));
    }
    // That one has ended is listed a moment after it was cancelled.
    const all = await listed(`tenantId=${tenantId}&state=cancelled`, (found) => found.length === 3 && found.every(({ finishedAt }) => finishedAt !== undefined));
    expect(all.map(({ startedAt }) => startedAt)).toEqual(all.map(({ startedAt }) => startedAt).sort().reverse());
    const first = await list(`tenantId=${tenantId}&limit=2`);
    const second = await list(`tenantId=${tenantId}&limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data]).toEqual(all);
  });

  it.each(['kind=demolition', 'state=odd', 'tenantId=No', 'limit=0', 'stuck=perhaps'])('refuses %s', async (query) => {
    expect((await api.send(`/api/v1/operations?${query}`, asOperator())).body).toMatchObject({ status: 400, code: 'request/malformed' });
  });

  it('refuses a cursor of its own making', async () => {
    expect((await api.send('/api/v1/operations?cursor=%22', asOperator())).body).toMatchObject({ status: 400, code: 'request/malformed' });
    expect((await api.send('/api/v1/operations?cursor=abcdefgh', asOperator())).body).toMatchObject({ status: 422, code: 'cursor/unknown' });
  });
});

describe('following', () => {
  it('tells every change from a revision on, and ends with the operation', async () => {
    const { operationId } = await waitingOnboarding();
    const seen: Operation[] = [];
    for await (const { id, operation } of follow({ operationId })) {
      expect(id).toBe(String(operation.revision));
      seen.push(operation);
      if (operation.steps.some(({ name, state }) => name === 'worker' && state === 'running')) await post(pathOf({ operationId }, '/cancel'));
    }
    expect(seen.at(-1)).toMatchObject({ state: 'cancelled', finishedAt: expect.any(String) as unknown });
    const revisions = seen.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));

    const last = revisions.at(-1) ?? 0;
    const rest: number[] = [];
    for await (const { operation } of follow({ operationId }, last - 1)) rest.push(operation.revision);
    expect(rest).toEqual([last]);
    const events = { accept: 'text/event-stream', 'last-event-id': String(last) };
    expect((await api.send(pathOf({ operationId }, '/events'), asOperator({ headers: events }))).status).toBe(204);
  });

  it('refuses a revision that is none, and an operation there is not', async () => {
    const { operationId } = await waitingOnboarding();
    const headers = { accept: 'text/event-stream', 'last-event-id': '1.2' };
    expect((await api.send(pathOf({ operationId }, '/events'), asOperator({ headers }))).body).toMatchObject({ status: 400, code: 'request/malformed' });
    const missing = { operationId: `onboarding_acme_${'0'.repeat(26)}` };
    expect((await api.send(pathOf(missing, '/events'), asOperator())).body).toMatchObject({ status: 404, code: 'operation/not-found' });
    await post(pathOf({ operationId }, '/cancel'));
  });
});

describe('trying again', () => {
  it('is refused while nothing has failed, and when there is no such operation', async () => {
    const { operationId } = await waitingOnboarding();
    expect((await post(pathOf({ operationId }, '/retry'))).body).toMatchObject({ status: 409, code: 'operation/nothing-to-retry' });
    await post(pathOf({ operationId }, '/cancel'));
    const missing = { operationId: `onboarding_acme_${'0'.repeat(26)}` };
    expect((await post(pathOf(missing, '/retry'))).body).toMatchObject({ status: 404, code: 'operation/not-found' });
  });
});
