import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type ScheduleHandle } from '@temporalio/client';
import type { RunningPlatform } from '../../campaign/running-platform';
import { burst, duplicates } from '../../campaign/sessions/floods';
import { harms } from '../../campaign/sessions/harms';
import { poison } from '../../campaign/sessions/poison';
import { startStage } from '../../campaign/sessions/stage';
import { problemsOfNumbers } from '../../campaign/sessions/verdict';
import { until } from '../../campaign/until';
import { patiently } from '../../src/cli/patience';
import type { BackupSummary } from '../../src/contracts/backup';
import type { BudgetCounter, Budgets } from '../../src/contracts/budget';
import type { MaintenanceReport } from '../../src/contracts/maintenance';
import { type MaintenanceJobName, operationOfWorkflow, platformOwner, scheduleIds, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { ScheduledRun } from '../../src/contracts/schedule';
import type { SessionRecord } from '../../src/contracts/session';
import { OrdersServer } from '../../src/local/demo/orders-server';
import type { User } from '../../src/local/demo/user';
import type { SessionStatus } from '../../src/ports/sessions';

let stage: Awaited<ReturnType<typeof startStage>>;
let platform: RunningPlatform;
/** Its owner has not said that it tells repetitions. */
let market: OrdersServer;
let alice: User;
/** Without keys: it sees what runs, and no texts. */
let temporal: Client;

beforeAll(async () => {
  market = await OrdersServer.start();
  stage = await startStage({ origins: [market.origin] });
  ({ platform, user: alice } = stage);
  temporal = new Client({ connection: await Connection.connect({ address: platform.settings.temporalAddress }) });
});

// A test that failed in the middle leaves nothing standing still.
afterEach(() => Object.values(platform.services).forEach((service) => service.kill('SIGCONT')));

afterAll(async () => {
  await temporal.connection.close();
  market.stop();
  await stage.stop();
});

/** A part of `npm run campaign:sessions`: each process and each moment at least once. */
const sample = [
  ...['worker killed in the answer', 'worker killed between tools', 'worker killed in a tool', 'worker killed after the last word'],
  ...['one of two workers killed in a tool', 'one of two workers stopped in order in the answer'],
  ...['api killed in the answer', 'temporal killed before the model', 'valkey killed in the answer', 'aws away in the answer'],
  ...['the clock of the worker set a day ahead in a tool', 'the clock of the worker set a day back in the answer'],
];

it.each(sample)('%s, nothing is lost and nothing done twice', async (id) => {
  const one = harms.find((harm) => harm.id === id);
  expect(await one?.run(stage, 2)).toEqual({ turns: 2, problems: [] });
});

it.each([duplicates, burst, poison])('$id: every effect once, in order, and with an outcome that has a name', async (one) => {
  const { problems } = await one.run(stage, one === poison ? 1 : 20);
  expect(problems).toEqual([]);
});

it('does not repeat a call that changes something when its worker dies and its target tells no repetition: model and user are told', async () => {
  const sessionId = await alice.open();
  const asked = alice.ask(sessionId, `Place an order for 3 books at ${market.origin}/orders`);
  await market.firstOrder;
  platform.services.worker.kill('SIGKILL');
  const turn = await asked;
  expect(turn).toMatchObject({ outcome: 'completed', answer: expect.stringContaining('may have taken effect or not') as unknown });
  expect([market.requests, market.placed]).toEqual([1, 1]);
  const log = await alice.log(sessionId);
  expect(problemsOfNumbers(log)).toEqual([]);
  expect(log).toContainEqual(expect.objectContaining({ type: 'tool.failed', code: 'tool/outcome-unknown' }));
});

it('takes a message although the worker dies that was told of it: who sent it waits, and is not refused', async () => {
  const sessionId = await alice.open();
  await alice.ask(sessionId, 'Hello');
  const session = temporal.workflow.getHandle(workflowIds.session('acme', sessionId));
  const task = async () => (await session.describe()).raw.pendingWorkflowTask;
  await until('it rests', async () => !(await task()));
  platform.services.worker.kill('SIGSTOP');
  const said = platform.api.call<{ turnId: string }>(`/api/v1/tenants/acme/sessions/${sessionId}/messages`, { method: 'POST', token: alice.token, body: { text: 'Are you there?' } });
  await until('the worker is told', async () => (await task())?.startedTime != null);
  platform.services.worker.kill('SIGKILL');
  const { turnId } = await said;
  await until('it is answered', async () => (await alice.log(sessionId)).some((event) => event.type === 'turn.completed' && event.turnId === turnId && event.outcome === 'completed'));
});

describe('an API whose clock is wrong', () => {
  const session = (sessionId: string) => platform.api.call<{ status: SessionStatus }>(`/api/v1/tenants/acme/sessions/${sessionId}`, { token: alice.token });
  afterEach(() => platform.moveClock('api', 0));

  it.each([
    ['two hours ahead', 7_200_000],
    ['two hours back', -7_200_000],
  ])('%s, takes no token it cannot vouch for, keeps what it was given, and goes on when it is set right', async (_words, byMs) => {
    const prompt = `set ${randomUUID()}`;
    await platform.model.script({ match: prompt, steps: [{ say: 'one two three', holdAfter: 1 }, { say: 'one two three' }] });
    const sessionId = await alice.open();
    const message = { method: 'POST', token: alice.token, body: { text: prompt }, idempotencyKey: randomUUID() } as const;
    await platform.api.call(`/api/v1/tenants/acme/sessions/${sessionId}/messages`, message);
    await until('it is held', async () => (await platform.model.holding(prompt)) === 1);
    await platform.moveClock('api', byMs);
    await expect(session(sessionId)).rejects.toMatchObject({ status: 401 });
    await platform.moveClock('api', 0);
    await platform.model.release(prompt);
    await until('the turn has ended', async () => (await alice.log(sessionId)).some(({ type }) => type === 'turn.completed'));
    const log = await alice.log(sessionId);
    expect(problemsOfNumbers(log)).toEqual([]);
    expect(log).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'message.completed', text: 'one two three' }), expect.objectContaining({ type: 'turn.completed', outcome: 'completed' })]));
  });

  it('tells readers that it is still there, though it is set back meanwhile', async () => {
    const sessionId = await alice.open();
    await alice.ask(sessionId, 'Hello');
    await platform.moveClock('api', 1_800_000);
    const { body } = await fetch(`${platform.settings.apiUrl}/api/v1/tenants/acme/sessions/${sessionId}/events`, { headers: { authorization: `Bearer ${alice.token}`, accept: 'text/event-stream' } });
    const reader = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    const readUntil = async (words: string) => {
      for (heard = ''; !heard.includes(words); ) heard += (await reader.read()).value ?? 'the end';
    };
    await readUntil('turn.completed');
    await platform.moveClock('api', 0);
    await readUntil(': still here');
    await reader.cancel();
  });
});

it('gives a scheduled prompt to its agent once, although the worker that runs it dies before, in and behind its turn', async () => {
  const prompt = `scheduled ${randomUUID()}`;
  await platform.model.script({ match: prompt, steps: [{ say: 'one two three', holdAfter: 1 }, { say: 'one two three' }] });
  const schedules = '/api/v1/tenants/acme/schedules';
  const begunAt = new Date().toISOString();
  const post = (path: string, body: object) => platform.api.call(path, { method: 'POST', token: alice.token, body, idempotencyKey: randomUUID() });
  await post(schedules, { name: 'chaos', prompt, times: { cron: '0 0 1 1 *' } });
  await post(`${schedules}/chaos/runs`, {});
  platform.services.worker.kill('SIGKILL');
  await until('the scheduled prompt is held', async () => (await platform.model.holding(prompt)) === 1);
  platform.services.worker.kill('SIGKILL');
  await platform.model.release(prompt);
  let killed = false;
  const runs = async () => (await patiently(() => platform.api.call<{ data: ScheduledRun[] }>(`${schedules}/chaos/runs`, { token: alice.token }))).data;
  await until('the run has ended', async () => {
    const [run] = await runs();
    if (!killed && run?.sessionId !== undefined && (await alice.log(run.sessionId)).some(({ type }) => type === 'turn.completed')) {
      killed = true;
      platform.services.worker.kill('SIGKILL');
    }
    return run !== undefined && run.outcome !== 'running';
  });
  const [run, ...others] = await runs();
  expect(others).toEqual([]);
  expect(run).toMatchObject({ outcome: 'completed' });
  const log = await alice.log(run?.sessionId ?? '');
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
  expect(log.flatMap((event) => (event.type === 'turn.started' || event.type === 'turn.completed' ? [[event.type, event.turnId]] : []))).toEqual([['turn.started', run?.turnId], ['turn.completed', run?.turnId]]);
  const { data: sessions } = await platform.api.call<{ data: SessionRecord[] }>('/api/v1/tenants/acme/sessions?limit=200', { token: alice.token });
  expect(sessions.filter(({ createdAt }) => createdAt >= begunAt).map(({ sessionId }) => sessionId)).toEqual([run?.sessionId]);
});

it.each(['api', 'temporal'] as const)('an onboarding and an offboarding in which %s is killed complete', async (victim) => {
  const tenantId = `chaos-${victim}`;
  const onboarding = await platform.beginOnboarding(tenantId);
  platform.services[victim].kill('SIGKILL');
  expect(await platform.ended(onboarding)).toMatchObject({ state: 'completed' });

  const path = `/api/v1/tenants/${tenantId}?graceSeconds=0&drainSeconds=0`;
  const leaving = await platform.api.call<Operation>(path, { method: 'DELETE', token: platform.operator });
  platform.services[victim].kill('SIGKILL');
  const left = await platform.ended(leaving);
  expect(left.steps.filter(({ state }) => state !== 'completed' && state !== 'skipped')).toEqual([]);
  expect(left.state).toBe('completed');
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
    let heard = '';
    const left = alice.ask(stopped, 'slow one', (text) => (heard += text));
    // What the worker has not read yet it cannot count.
    await until('the slow one has said two words', () => Promise.resolve(heard.trim() === 'one two'));
    await platform.api.call(`/api/v1/tenants/acme/sessions/${stopped}/messages`, { method: 'POST', token: alice.token, body: { text: 'Never mind', onBusy: 'interrupt' } });
    expect((await left).outcome).toBe('interrupted');
    expect(new Set(await Promise.all([...asked, ...products]))).toEqual(new Set(['completed']));
    await until('nothing is reserved', async () => (await spent()).reserved.modelCalls === 0 && (await platform.model.served()).abandoned > 0);
    const calm = await sums();
    expect(calm.lost).toEqual(before.lost);
    expect({ calls: calm.calls - before.calls, tokens: calm.tokens - before.tokens }).toEqual({ calls: calm.served.calls - before.served.calls, tokens: calm.served.tokens - before.served.tokens });
    expect(calm.calls - before.calls).toBe(2 * broken.length + 1 + 2 * 3 + 2);

    await platform.model.script({ match: 'killed one', steps: [{ say, holdAfter: 2 }, { say }] });
    const survived = alice.ask(await alice.open(), 'killed one');
    await until('the killed one is held', async () => (await platform.model.holding('killed one')) === 1);
    platform.services.worker.kill('SIGKILL');
    expect((await survived).outcome).toBe('completed');
    await until('nothing is reserved', async () => (await spent()).reserved.modelCalls === 0);
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
      const first = await Promise.race([asked, until('the session is out of budget', async () => (await statusOf()).state === 'out_of_budget')]);
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
    expect(problemsOfNumbers(log)).toEqual([]);
    expect(log.filter((event) => event.type === 'turn.started' && event.turnId === turn.turnId)).toHaveLength(1);
  });
});

describe('what runs by the clock', () => {
  const scheduleOf = (owner: string, job: MaintenanceJobName) => temporal.schedule.getHandle(scheduleIds.of(owner, job));
  const asOperator = <T>(path: string) => platform.api.call<T>(`/api/v1/${path}`, { token: platform.operator });
  const reportsOf = async (job: MaintenanceJobName) => (await asOperator<{ data: MaintenanceReport[] }>(`maintenance/${job}/reports`)).data;
  const describe = (workflowId: string) => temporal.workflow.getHandle(workflowId).describe();

  /** As the clock does it: by the overlap policy the schedule has. */
  const trigger = ({ scheduleId }: ScheduleHandle) =>
    temporal.workflowService.patchSchedule({ namespace: 'default', scheduleId, patch: { triggerImmediately: {} } });

  /** Runs are named by the second: a second one within it would begin nothing. */
  const triggerAgain = async (schedule: ScheduleHandle) => {
    const { info } = await schedule.describe();
    const latestAtMs = Math.max(...info.recentActions.map(({ scheduledAt }) => scheduledAt.getTime()));
    await until('the second is over', () => Promise.resolve(Math.floor(Date.now() / 1_000) > Math.floor(latestAtMs / 1_000)));
    await trigger(schedule);
  };

  /** Whatever the time is while this runs: nothing begins but what is triggered. */
  const forgetTheTime = (schedule: ScheduleHandle) => schedule.update((given) => ({ ...given, spec: {} }));

  async function whatItStarted(schedule: ScheduleHandle, isNew: (workflowId: string) => boolean = () => true): Promise<string> {
    let found: string | undefined;
    await until(`${schedule.scheduleId} starts a run`, async () => {
      const { info } = await schedule.describe();
      return (found = info.recentActions.map(({ action }) => action.workflow.workflowId).findLast(isNew)) !== undefined;
    });
    return found ?? '';
  }

  /** The operation that a workflow carries out as its child. */
  async function childOf(workflowId: string): Promise<string> {
    let child: string | null | undefined;
    await until(`${workflowId} has a child`, async () => {
      const { events } = await temporal.workflow.getHandle(workflowId).fetchHistory();
      child = events?.find((event) => event.childWorkflowExecutionStartedEventAttributes)?.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
      return child != null;
    });
    return child ?? '';
  }

  /** @returns how it ended; Temporal itself may be away meanwhile. */
  async function ended(workflowId: string): Promise<string> {
    let status = 'RUNNING';
    await until(`${workflowId} ends`, async () => (status = await describe(workflowId).then(({ status: { name } }) => name, () => 'RUNNING')) !== 'RUNNING');
    return status;
  }

  it('is left out while it runs, and done and reported once though the worker is killed in the middle of it', async () => {
    const [nightly, drift] = [scheduleOf('acme', 'backup'), scheduleOf(platformOwner, 'drift')];
    const { aws, worker } = platform.services;
    await Promise.all([nightly, drift].map(forgetTheTime));
    // The worker has its keys in memory after this one.
    await trigger(drift);
    const earlier = await whatItStarted(drift);
    expect(await ended(earlier)).toBe('COMPLETED');
    const reports = await reportsOf('drift');

    worker.kill('SIGSTOP');
    await trigger(nightly);
    const night = await whatItStarted(nightly);
    await trigger(nightly);
    await until('one is left out', async () => (await nightly.describe()).info.numActionsSkippedOverlap === 1);
    worker.kill('SIGCONT');
    const operation = await childOf(night);
    aws.kill('SIGSTOP');
    await triggerAgain(drift);
    const inspection = await whatItStarted(drift, (id) => id !== earlier);
    await until('it looks', async () => (await describe(inspection)).raw.pendingActivities?.some(({ lastStartedTime }) => lastStartedTime != null) === true);
    worker.kill('SIGKILL');
    aws.kill('SIGCONT');

    expect(await Promise.all([ended(night), ended(inspection)])).toEqual(['COMPLETED', 'COMPLETED']);
    const operationId = operationOfWorkflow(operation) ?? '';
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
