import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { ApiProblem } from '../../src/cli/api-client';
import { patiently } from '../../src/cli/patience';
import type { SessionEvent } from '../../src/contracts/events';
import { workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { SessionRecord } from '../../src/contracts/session';
import { OrdersServer } from '../../src/local/demo/orders-server';
import type { User } from '../../src/local/demo/user';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

jest.setTimeout(120_000);

const tenantPath = '/api/v1/tenants/acme';
let platform: RunningPlatform;
let shop: OrdersServer;
let alice: User;

beforeAll(async () => {
  shop = await OrdersServer.start();
  platform = await runPlatform();
  expect((await platform.onboard('acme')).state).toBe('completed');
  const { accessToken: token } = await platform.accounts.userTokens('acme', 'admin@acme.example', ['administrators']);
  const settings = { tools: ['http_request', 'calculator'], allowedOrigins: [shop.origin], idempotentOrigins: [shop.origin] };
  const make = (name: string, of: object) => platform.api.call(`${tenantPath}/agents`, { method: 'POST', token, body: { name, settings: of }, idempotencyKey: randomUUID() });
  await make('buyer', settings);
  // An agent in a version: a worker remembers the tenant's own for two seconds.
  await make('clerk', { tools: [], agents: [{ agent: 'buyer', description: 'Places orders.' }] });
  alice = await platform.user('acme');
});

afterAll(async () => {
  shop.stop();
  await platform.stop();
});

async function openSession(): Promise<string> {
  const request = { method: 'POST', token: alice.token, body: { agent: 'clerk' }, idempotencyKey: randomUUID() } as const;
  return (await patiently(() => platform.api.call<{ sessionId: string }>(`${tenantPath}/sessions`, request))).sessionId;
}

async function logUntilEnd(sessionId: string): Promise<SessionEvent[]> {
  for (;;) {
    const log = await alice.log(sessionId);
    if (log.at(-1)?.type === 'turn.completed' || log.at(-1)?.type === 'session.closed') {
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
      return log;
    }
    await delay(100);
  }
}

const typesOf = (log: readonly SessionEvent[], type: string) => log.filter((event) => event.type === type);

it('has an agent work for another once, whose workers are killed while it thinks and while it orders', async () => {
  const [text, task] = [`please ${randomUUID()}`, `buy ${randomUUID()}`];
  const order = { name: 'http_request', input: { method: 'POST', url: `${shop.origin}/orders`, body: { books: 3 } } };
  await platform.model.script({ match: text, steps: [{ calls: [{ name: 'buyer', input: { task } }] }, { say: 'done' }] });
  await platform.model.script({ match: task, steps: [{ say: 'I will order', holdAfter: 1 }, { calls: [order] }, { say: 'ordered' }] });
  const sessionId = await openSession();
  await patiently(() => platform.api.call(`${tenantPath}/sessions/${sessionId}/messages`, { method: 'POST', token: alice.token, body: { text }, idempotencyKey: randomUUID() }));
  while ((await platform.model.holding(task)) === 0) await delay(20);
  platform.services.worker.kill('SIGKILL');
  await shop.firstOrder;
  platform.services.worker.kill('SIGKILL');
  shop.answerWithheld();

  const log = await logUntilEnd(sessionId);
  expect(log.at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'completed' });
  expect(['tool.requested', 'tool.started', 'tool.completed', 'tool.failed'].map((type) => typesOf(log, type).length)).toEqual([1, 1, 1, 0]);
  expect(typesOf(log, 'tool.completed')).toMatchObject([{ output: { answer: 'ordered' } }]);
  const { data } = await platform.api.call<{ data: SessionRecord[] }>(`${tenantPath}/sessions?children=true`, { token: alice.token });
  const children = data.filter(({ parent }) => parent?.sessionId === sessionId);
  expect(children).toHaveLength(1);
  const childLog = await logUntilEnd(children[0]?.sessionId ?? '');
  expect([typesOf(childLog, 'turn.started').length, typesOf(childLog, 'tool.completed').length, typesOf(childLog, 'turn.completed').length]).toEqual([1, 1, 1]);
  expect(shop.placed).toBe(1);
});

describe('at work while its tenant', () => {
  const thinking = { say: 'let me see', holdAfter: 1, calls: [{ name: 'calculator', input: { expression: '6*7' } }] };

  /** An agent in the middle of the first of two steps, and the one that waits for it. */
  async function atWork() {
    const [text, task] = [`please ${randomUUID()}`, `compute ${randomUUID()}`];
    await platform.model.script({ match: text, steps: [{ calls: [{ name: 'buyer', input: { task } }] }, { say: 'done' }] });
    await platform.model.script({ match: task, steps: [thinking, { say: 'it is 42' }] });
    const sessionId = await openSession();
    await patiently(() => platform.api.call(`${tenantPath}/sessions/${sessionId}/messages`, { method: 'POST', token: alice.token, body: { text }, idempotencyKey: randomUUID() }));
    while ((await platform.model.holding(task)) === 0) await delay(20);
    const { data } = await platform.api.call<{ data: SessionRecord[] }>(`${tenantPath}/sessions?children=true`, { token: alice.token });
    const childId = data.find(({ parent }) => parent?.sessionId === sessionId)?.sessionId ?? '';
    return { sessionId, childId, letGo: () => platform.model.release(task) };
  }

  /** Until the workflows of these sessions have been told. */
  async function told(signalName: string, sessionIds: readonly string[]): Promise<void> {
    const temporal = new Client({ connection: await Connection.connect({ address: platform.settings.temporalAddress }) });
    const isTold = async (sessionId: string) => {
      const { events } = await temporal.workflow.getHandle(workflowIds.session('acme', sessionId)).fetchHistory();
      return events?.some((event) => event.workflowExecutionSignaledEventAttributes?.signalName === signalName) ?? false;
    };
    for (const sessionId of sessionIds) while (!(await isTold(sessionId))) await delay(50);
    await temporal.connection.close();
  }

  const asOperator = (path: string, method: 'POST' | 'DELETE', body?: object) =>
    platform.api.call<Operation>(path, { method, token: platform.operator, ...(body && { body }), idempotencyKey: randomUUID() });
  const logOf = (sessionId: string) => patiently(() => logUntilEnd(sessionId), { mayPass: (error) => error instanceof ApiProblem && error.code.startsWith('tenant/') });

  /** Both did all there was to do, once. */
  async function areDone({ sessionId, childId }: { sessionId: string; childId: string }): Promise<void> {
    const [log, childLog] = [await logOf(sessionId), await logOf(childId)];
    expect(typesOf(log, 'turn.completed')).toMatchObject([{ outcome: 'completed' }]);
    expect(typesOf(log, 'tool.completed')).toMatchObject([{ output: { answer: 'it is 42' } }]);
    expect(typesOf(childLog, 'turn.completed')).toMatchObject([{ outcome: 'completed' }]);
    expect(typesOf(childLog, 'tool.completed')).toMatchObject([{ output: { result: 42 } }]);
  }

  it('is suspended, rests, with the one that waits for it; both go on when it is resumed', async () => {
    const work = await atWork();
    const suspension = await asOperator(`${tenantPath}/suspend`, 'POST', { turns: 'pause' });
    await told('holdSession', [work.sessionId, work.childId]);
    await work.letGo();
    expect((await platform.ended(suspension)).state).toBe('completed');
    expect((await platform.ended(await asOperator(`${tenantPath}/resume`, 'POST', {}))).state).toBe('completed');
    await areDone(work);
  });

  it('leaves, finishes what it was called for, and so does who called it', async () => {
    const work = await atWork();
    const leaving = await asOperator(`${tenantPath}?skipRehearsal=true&graceSeconds=3600&drainSeconds=60`, 'DELETE');
    await told('closeSession', [work.sessionId, work.childId]);
    await work.letGo();
    const inGrace = async () => {
      const operation = await platform.api.call<Operation>(`/api/v1/operations/${leaving.operationId}`, { token: platform.operator });
      return operation.steps.some(({ name, state }) => name === 'grace_period' && state === 'running') ? operation : undefined;
    };
    let drained: Operation | undefined;
    while (!(drained = await inGrace())) await delay(100);
    expect(drained.sessions).toMatchObject({ cutOff: 0 });
    expect((await platform.ended(await asOperator(`/api/v1/operations/${leaving.operationId}/cancel`, 'POST', {}))).state).toBe('cancelled');
    await areDone(work);
  });
});

it('is erased with the session it worked for', async () => {
  const [text, task] = [`please ${randomUUID()}`, `hold ${randomUUID()}`];
  await platform.model.script({ match: text, steps: [{ calls: [{ name: 'buyer', input: { task } }] }] });
  await platform.model.script({ match: task, steps: [{ say: 'I am thinking', holdAfter: 1 }] });
  const sessionId = await openSession();
  const pathOf = (id: string) => `${tenantPath}/sessions/${id}`;
  await platform.api.call(`${pathOf(sessionId)}/messages`, { method: 'POST', token: alice.token, body: { text }, idempotencyKey: randomUUID() });
  while ((await platform.model.holding(task)) === 0) await delay(20);
  const { data } = await platform.api.call<{ data: SessionRecord[] }>(`${tenantPath}/sessions?children=true`, { token: alice.token });
  const childId = data.find(({ parent }) => parent?.sessionId === sessionId)?.sessionId ?? '';
  const { operationId } = await platform.api.call<{ operationId: string }>(`${pathOf(sessionId)}/erase`, { method: 'POST', token: alice.token, body: {} });
  expect((await platform.ended({ operationId })).state).toBe('completed');
  const { statement } = await platform.api.call<{ statement: { statement: { sessions: string[] } } }>(`${tenantPath}/erasures/${operationId}`, { token: alice.token });
  expect(statement.statement.sessions).toEqual([sessionId, childId]);
  await expect(platform.api.call(pathOf(childId), { token: alice.token })).rejects.toMatchObject({ code: 'session/not-found' });
});
