import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type ScheduleHandle } from '@temporalio/client';
import { watchOperation } from '../../src/cli/operations';
import type { BackupSummary } from '../../src/contracts/backup';
import type { BudgetCounter, Budgets } from '../../src/contracts/budget';
import type { LiveEntry, SessionEvent } from '../../src/contracts/events';
import type { MaintenanceReport } from '../../src/contracts/maintenance';
import { type MaintenanceJobName, operationOfWorkflow, platformOwner, scheduleIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { OrdersServer } from '../../src/local/demo/orders-server';
import type { User } from '../../src/local/demo/user';
import type { SessionStatus } from '../../src/ports/sessions';
import { type RunningPlatform, runPlatform } from './platform';

jest.setTimeout(120_000);

let platform: RunningPlatform;
let orders: OrdersServer;
/** Its owner has not said that it tells repetitions. */
let market: OrdersServer;
let alice: User;

beforeAll(async () => {
  [orders, market] = await Promise.all([OrdersServer.start(), OrdersServer.start()]);
  platform = await runPlatform();
  expect((await platform.onboard('acme', { allowedOrigins: [orders.origin, market.origin], idempotentOrigins: [orders.origin] })).state).toBe('completed');
  alice = await platform.user('acme');
});

afterAll(async () => {
  orders.stop();
  market.stop();
  await platform.stop();
});

const victims = ['api', 'worker', 'temporal'] as const;

/** Waits for a state that is sure to come, and looks often. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

const isDurable = (entry: LiveEntry): entry is SessionEvent => entry.type !== 'text.delta';

/** Nothing lost, nothing twice, nothing out of order: what the client saw is what was written, without a gap. */
async function expectWholeStory(user: User, sessionId: string, seen: readonly LiveEntry[]): Promise<SessionEvent[]> {
  const log = await user.log(sessionId);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
  expect(seen.filter(isDurable)).toEqual(log);
  expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
  return log;
}

it('does not repeat a call that changes something when its worker dies and its target tells no repetition: model and user are told', async () => {
  const sessionId = await alice.open();
  const asked = alice.ask(sessionId, `Place an order for 3 books at ${market.origin}/orders`);
  await market.firstOrder;
  platform.services.worker.kill('SIGKILL');
  const turn = await asked;
  expect(turn).toMatchObject({ outcome: 'completed', answer: expect.stringContaining('may have taken effect or not') as unknown });
  expect([market.requests, market.placed]).toEqual([1, 1]);
  const log = await expectWholeStory(alice, sessionId, turn.entries);
  expect(log).toContainEqual(expect.objectContaining({ type: 'tool.failed', code: 'tool/outcome-unknown' }));
});

describe.each(victims)('when %s is killed', (victim) => {
  it.each([
    ['before the model says a word', 0],
    ['in the middle of the answer', 3],
  ])('%s, the turn completes all the same', async (_moment, holdAfter) => {
    const prompt = `chaos ${victim} ${holdAfter}`;
    const say = 'one two three four five six seven';
    await platform.model.script({ match: prompt, steps: [{ say, holdAfter }, { say }] });
    const sessionId = await alice.open();
    const asked = alice.ask(sessionId, prompt);
    await until(async () => (await platform.model.holding(prompt)) === 1);
    platform.services[victim].kill('SIGKILL');
    await platform.model.release(prompt);
    const turn = await asked;
    expect(turn).toMatchObject({ outcome: 'completed', answer: say });
    await expectWholeStory(alice, sessionId, turn.entries);
  });

  it('in the middle of a tool call, its effect happens once', async () => {
    const shop = await OrdersServer.start();
    try {
      await platform.accounts.userTokens('acme', 'admin@acme.example', ['administrators']).then(({ accessToken: token }) =>
        platform.api.call('/api/v1/tenants/acme/config', { method: 'PUT', token, body: { allowedOrigins: [shop.origin], idempotentOrigins: [shop.origin] } }),
      );
      // Other processes see the new configuration once their own copy is two seconds old.
      await delay(2_100);
      const sessionId = await alice.open();
      const asked = alice.ask(sessionId, `Place an order for 3 books at ${shop.origin}/orders`);
      await shop.firstOrder;
      platform.services[victim].kill('SIGKILL');
      shop.answerWithheld();
      const turn = await asked;
      expect(turn).toMatchObject({ outcome: 'completed', answer: expect.stringContaining('order-1') as unknown });
      expect(shop.placed).toBe(1);
      const log = await expectWholeStory(alice, sessionId, turn.entries);
      expect(log.filter(({ type }) => type === 'tool.completed')).toHaveLength(1);
    } finally {
      shop.stop();
    }
  });

  it('in the middle of an onboarding and an offboarding, both complete', async () => {
    const tenantId = `chaos-${victim}`;
    const { operationId } = await platform.beginOnboarding(tenantId);
    platform.services[victim].kill('SIGKILL');
    expect(await watchOperation(platform.api, operationId, platform.operator)).toMatchObject({ state: 'completed' });

    const path = `/api/v1/tenants/${tenantId}?graceSeconds=0&drainSeconds=0`;
    const leaving = await platform.api.call<Operation>(path, { method: 'DELETE', token: platform.operator });
    platform.services[victim].kill('SIGKILL');
    const left = await watchOperation(platform.api, leaving.operationId, platform.operator);
    expect(left.steps.filter(({ state }) => state !== 'completed' && state !== 'skipped')).toEqual([]);
    expect(left.state).toBe('completed');
  });
});

describe('when a service does not answer for a while', () => {
  /** Longer than the clients' patience, so that requests fail and are tried again. */
  const outageMs = 6_500;

  it.each(['aws', 'model', 'valkey'] as const)('%s, in the middle of a turn, nothing is lost', async (victim) => {
    const prompt = `outage of ${victim}`;
    const say = 'one two three four five';
    await platform.model.script({ match: prompt, steps: [{ say, holdAfter: 2 }, { say }] });
    const sessionId = await alice.open();
    const asked = alice.ask(sessionId, prompt);
    await until(async () => (await platform.model.holding(prompt)) === 1);
    const service = platform.services[victim];
    service.kill('SIGSTOP');
    const back = delay(outageMs).then(() => service.kill('SIGCONT'));
    if (victim === 'model') await back;
    await platform.model.release(prompt);
    await back;
    const turn = await asked;
    expect(turn).toMatchObject({ outcome: 'completed', answer: say });
    await expectWholeStory(alice, sessionId, turn.entries);
  });
});

describe('budgets', () => {
  interface Report {
    readonly spent: { readonly tenantDay: BudgetCounter };
  }
  const budgets = (body?: Budgets) => platform.api.call<Report>('/api/v1/tenants/acme/budgets', { token: platform.operator, ...(body && { method: 'PUT', body }) });
  const spent = async () => (await budgets()).spent.tenantDay;
  afterAll(() => budgets({}));

  /** All that is in the ledger, and all that the model server has served, since some moment of before. */
  async function sums() {
    const [{ settled, wasted, lost, reserved }, served] = await Promise.all([spent(), platform.model.served()]);
    return {
      calls: settled.modelCalls + wasted.modelCalls + lost.modelCalls,
      tokens: settled.tokens + wasted.tokens,
      lost,
      reserved,
      served: { calls: served.requests, tokens: served.inputTokens + served.outputTokens + served.wastedTokens, wasted: served.wastedTokens },
    };
  }

  it('are held against what the model server served, with answers that break, retries, interruptions and a worker that is killed', async () => {
    await budgets({ tenantDay: { tokens: 100_000_000, microUsd: 1_000_000_000 } });
    // The workers have heard when something is counted.
    for (let warm = 0; (await spent()).settled.modelCalls === 0; warm += 1) expect((await alice.ask(await alice.open(), `Hello ${warm}`)).outcome).toBe('completed');
    const before = await sums();

    const say = 'one two three four five six';
    const broken = (['stream-error', 'disconnect'] as const).flatMap((kind) => [1, 3].map((after) => ({ match: `${kind} after ${after}`, steps: [{ say, fail: { kind, after } }, { say }] })));
    const busy = { match: 'too busy', steps: [{ fail: { kind: 'throttling' as const } }, { say }] };
    const slow = { match: 'slow one', steps: [{ say, holdAfter: 2 }] };
    for (const script of [...broken, busy, slow]) await platform.model.script(script);
    const stopped = await alice.open();
    const asked = [...broken, busy].map(async ({ match }) => (await alice.ask(await alice.open(), match)).outcome);
    const products = [2, 3, 5].map(async (factor) => (await alice.ask(await alice.open(), `What is 17*${factor}?`)).outcome);
    const left = alice.ask(stopped, 'slow one');
    await until(async () => (await platform.model.holding('slow one')) === 1);
    await platform.api.call(`/api/v1/tenants/acme/sessions/${stopped}/messages`, { method: 'POST', token: alice.token, body: { text: 'Never mind', onBusy: 'interrupt' } });
    expect((await left).outcome).toBe('interrupted');
    expect(new Set(await Promise.all([...asked, ...products]))).toEqual(new Set(['completed']));
    await until(async () => (await spent()).reserved.modelCalls === 0 && (await platform.model.served()).abandoned > 0);
    const calm = await sums();
    expect(calm.lost).toEqual(before.lost);
    expect({ calls: calm.calls - before.calls, tokens: calm.tokens - before.tokens }).toEqual({ calls: calm.served.calls - before.served.calls, tokens: calm.served.tokens - before.served.tokens });
    expect(calm.calls - before.calls).toBe(2 * broken.length + 1 + 2 * 3 + 2);

    await platform.model.script({ match: 'killed one', steps: [{ say, holdAfter: 2 }, { say }] });
    const survived = alice.ask(await alice.open(), 'killed one');
    await until(async () => (await platform.model.holding('killed one')) === 1);
    platform.services.worker.kill('SIGKILL');
    expect((await survived).outcome).toBe('completed');
    await until(async () => (await spent()).reserved.modelCalls === 0);
    const after = await sums();
    // Nobody saw how that attempt ended: it counts as the most it can have cost, apart from the rest.
    const unseen = after.served.wasted - calm.served.wasted;
    expect(after.lost.modelCalls - calm.lost.modelCalls).toBe(1);
    expect(after.lost.tokens - calm.lost.tokens).toBeGreaterThanOrEqual(unseen);
    expect({ calls: after.calls - calm.calls, tokens: after.tokens - calm.tokens }).toEqual({ calls: after.served.calls - calm.served.calls, tokens: after.served.tokens - calm.served.tokens - unseen });
  });

  it('that are used up make a turn wait, no model is asked, and it goes on when one is raised', async () => {
    const sessionId = await alice.open();
    expect((await alice.ask(sessionId, 'Hello')).outcome).toBe('completed');
    await budgets({ session: { tokens: 1 } });
    const statusOf = async () => (await platform.api.call<{ status: SessionStatus }>(`/api/v1/tenants/acme/sessions/${sessionId}`, { token: alice.token })).status;
    // Until the workers have heard, turns are answered.
    let asked = alice.ask(sessionId, 'And now?');
    for (;;) {
      const first = await Promise.race([asked, until(async () => (await statusOf()).state === 'out_of_budget')]);
      if (!first) break;
      asked = alice.ask(sessionId, 'And now?');
    }
    const { requests } = await platform.model.served();
    expect(await statusOf()).toMatchObject({ exhausted: { level: 'session', unit: 'tokens' } });
    await budgets({ session: { tokens: 1_000_000 } });
    const turn = await asked;
    expect(turn.outcome).toBe('completed');
    expect(turn.entries.flatMap((entry) => (entry.type === 'budget.exhausted' ? [`${entry.level}.${entry.unit}`] : []))).toEqual(['session.tokens']);
    expect((await platform.model.served()).requests).toBe(requests + 1);
    const log = await alice.log(sessionId);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
    expect(log.filter((event) => event.type === 'turn.started' && event.turnId === turn.turnId)).toHaveLength(1);
  });
});

describe('what runs by the clock', () => {
  /** Without keys: it sees what runs, and no texts. */
  let temporal: Client;
  beforeAll(async () => {
    temporal = new Client({ connection: await Connection.connect({ address: platform.settings.temporalAddress }) });
  });
  afterAll(() => temporal.connection.close());
  // A test that failed in the middle leaves nothing standing still.
  afterEach(() => Object.values(platform.services).forEach((service) => service.kill('SIGCONT')));

  const scheduleOf = (owner: string, job: MaintenanceJobName) => temporal.schedule.getHandle(scheduleIds.of(owner, job));
  const asOperator = <T>(path: string) => platform.api.call<T>(`/api/v1/${path}`, { token: platform.operator });
  const reportsOf = async (job: MaintenanceJobName) => (await asOperator<{ data: MaintenanceReport[] }>(`maintenance/${job}/reports`)).data;
  const describe = (workflowId: string) => temporal.workflow.getHandle(workflowId).describe();

  /** As the clock does it: by the overlap policy the schedule has. */
  const trigger = ({ scheduleId }: ScheduleHandle) =>
    temporal.workflowService.patchSchedule({ namespace: 'default', scheduleId, patch: { triggerImmediately: {} } });

  async function whatItStarted(schedule: ScheduleHandle, isNew: (workflowId: string) => boolean = () => true): Promise<string> {
    for (;;) {
      const { info } = await schedule.describe();
      const found = info.recentActions.map(({ action }) => action.workflow.workflowId).findLast(isNew);
      if (found !== undefined) return found;
      await delay(20);
    }
  }

  /** @returns how it ended; Temporal itself may be away meanwhile. */
  async function ended(workflowId: string): Promise<string> {
    let status = 'RUNNING';
    await until(async () => (status = await describe(workflowId).then(({ status: { name } }) => name, () => 'RUNNING')) !== 'RUNNING');
    return status;
  }

  it('is left out while it runs, and done and reported once though the worker is killed in the middle of it', async () => {
    const [nightly, drift] = [scheduleOf('acme', 'backup'), scheduleOf(platformOwner, 'drift')];
    const { aws, worker } = platform.services;
    // The worker has its keys in memory after this one.
    await trigger(drift);
    const earlier = await whatItStarted(drift);
    expect(await ended(earlier)).toBe('COMPLETED');
    const reports = await reportsOf('drift');

    worker.kill('SIGSTOP');
    await trigger(nightly);
    const night = await whatItStarted(nightly);
    await trigger(nightly);
    await until(async () => (await nightly.describe()).info.numActionsSkippedOverlap === 1);
    worker.kill('SIGCONT');
    let operation: string | null | undefined;
    await until(async () => (operation = (await describe(night)).raw.pendingChildren?.[0]?.workflowId) != null);
    aws.kill('SIGSTOP');
    await trigger(drift);
    const inspection = await whatItStarted(drift, (id) => id !== earlier);
    await until(async () => (await describe(inspection)).raw.pendingActivities?.some(({ lastStartedTime }) => lastStartedTime != null) === true);
    worker.kill('SIGKILL');
    aws.kill('SIGCONT');

    expect(await Promise.all([ended(night), ended(inspection)])).toEqual(['COMPLETED', 'COMPLETED']);
    const operationId = operationOfWorkflow(operation ?? '') ?? '';
    expect(await asOperator(`operations/${operationId}`)).toMatchObject({ kind: 'backup', state: 'completed' });
    expect((await asOperator<{ data: BackupSummary[] }>('tenants/acme/backups')).data).toMatchObject([{ reason: 'scheduled', verification: { verifiedBy: operationId } }]);
    expect((await nightly.describe()).info).toMatchObject({ numActionsTaken: 1, runningActions: [] });
    const { events } = await temporal.workflow.getHandle(inspection).fetchHistory();
    expect(Math.max(...(events ?? []).map(({ activityTaskStartedEventAttributes: started }) => started?.attempt ?? 0))).toBeGreaterThan(1);
    expect(await reportsOf('drift')).toHaveLength(reports.length + 1);
  });

  it('is made up for when Temporal was away at its time', async () => {
    const schedule = scheduleOf(platformOwner, 'orphans');
    const dueAt = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 2_000);
    const [hour, minute, second] = [dueAt.getUTCHours(), dueAt.getUTCMinutes(), dueAt.getUTCSeconds()];
    await schedule.update((given) => ({ ...given, spec: { calendars: [{ hour, minute, second }] } }));
    expect((await schedule.describe()).info.nextActionTimes[0]).toEqual(dueAt);
    platform.services.temporal.kill('SIGSTOP');
    // Temporal forgives ten seconds of itself.
    await delay(dueAt.getTime() + 11_000 - Date.now());
    platform.services.temporal.kill('SIGCONT');
    const workflowId = await whatItStarted(schedule);
    expect(await ended(workflowId)).toBe('COMPLETED');
    expect((await schedule.describe()).info).toMatchObject({ numActionsTaken: 1, numActionsMissedCatchupWindow: 0 });
    expect(await reportsOf('orphans')).toHaveLength(1);
  });
});
