import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Duration } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { searchAttributes } from '../../src/contracts/names';
import { bundleOf } from './bundle';
import { replayAll, type WorkflowHistory } from './replay';

/** Activities by task queue: each queue gets a worker of its own, as in production. */
export type ActivitiesByQueue = Readonly<Record<string, NonNullable<WorkerOptions['activities']>>>;

export interface WorkersInput {
  /** Absolute path of the module that exports the workflows. */
  readonly workflowsPath: string;
  /** Queue on which the workflows run; its activities, if any, are in `activities` too. */
  readonly workflowQueue: string;
  /** Queue on which their child workflows run, when it is another. */
  readonly childQueue?: string;
  readonly activities: ActivitiesByQueue;
  readonly interceptors?: WorkerOptions['interceptors'];
  /** 0: each task is another worker's, as far as the workflow can tell. */
  readonly maxCachedWorkflows?: number;
}

const logger = new DefaultLogger('ERROR');

let isInstalled = false;
function quietRuntime() {
  if (!isInstalled) Runtime.install({ logger, telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } } });
  isInstalled = true;
}

/**
 * Runs a scenario against real workers on a time-skipping server of its own, then replays every workflow it names from
 * its history: a workflow that would not replay would be stuck after a deploy.
 *
 * @param scenario - returns the ids of the workflows to replay; at least one.
 * @param server - another one to run them on.
 */
export async function withWorkers(input: WorkersInput, scenario: Scenario, server = timeSkippingServer): Promise<void> {
  const env = await server();
  try {
    const workers = await createWorkers(env, input);
    const workflowIds = await runAll(workers, () => scenario(env));
    await replayAll(await bundleOf(input.workflowsPath), await historiesOf(env, workflowIds));
  } finally {
    await env.teardown();
  }
}

export type Scenario = (env: TestWorkflowEnvironment) => Promise<readonly string[]>;

/**
 * The same on the server and workers of the scenario before, which takes a third of the time: for files of many scenarios.
 * They must not use a workflow id twice, nor leave a workflow running. Ends with `end`, which replays them all.
 */
export class SharedWorkers {
  private env: TestWorkflowEnvironment | undefined;
  private running: { readonly kind: string; readonly stop: () => Promise<void> } | undefined;
  /** What the activities of the scenario that runs do. */
  private activities: ActivitiesByQueue = {};
  /** Of the scenarios so far, by the module of their workflows. */
  private readonly histories = new Map<string, WorkflowHistory[]>();

  async run(input: WorkersInput, scenario: Scenario): Promise<void> {
    this.env ??= await timeSkippingServer();
    this.activities = input.activities;
    const kind = JSON.stringify([input.workflowsPath, input.workflowQueue, input.childQueue, namesOf(input.activities)]);
    if (this.running?.kind !== kind) {
      await this.running?.stop();
      this.running = { kind, stop: start(await createWorkers(this.env, { ...input, activities: this.relayed(input.activities) })) };
    }
    const told = await historiesOf(this.env, await scenario(this.env));
    this.histories.set(input.workflowsPath, [...(this.histories.get(input.workflowsPath) ?? []), ...told]);
  }

  /** @throws Error that names the workflows that do not replay. */
  async end(): Promise<void> {
    await this.running?.stop();
    await this.env?.teardown();
    for (const [workflowsPath, histories] of this.histories) await replayAll(await bundleOf(workflowsPath), histories);
  }

  /** Each call goes to the activity of the scenario that runs. */
  private relayed(activities: ActivitiesByQueue): ActivitiesByQueue {
    const relay = (queue: string, name: string) => (...args: unknown[]) => (this.activities[queue] as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args);
    return Object.fromEntries(namesOf(activities).map(([queue, names]) => [queue, Object.fromEntries(names.map((name) => [name, relay(queue, name)]))]));
  }
}

const namesOf = (activities: ActivitiesByQueue) => Object.entries(activities).map(([queue, ofQueue]) => [queue, Object.keys(ofQueue)] as const);

async function createWorkers(env: TestWorkflowEnvironment, { workflowsPath, workflowQueue, childQueue, activities, interceptors, maxCachedWorkflows }: WorkersInput): Promise<Worker[]> {
  const workflowBundle = await bundleOf(workflowsPath);
  const queues = Object.entries({ [workflowQueue]: {}, ...activities });
  return Promise.all(
    queues.map(([taskQueue, ofQueue]) =>
      Worker.create({
        connection: env.nativeConnection,
        taskQueue,
        activities: ofQueue,
        // Cancellations travel with heartbeats: do not hold them back.
        maxHeartbeatThrottleInterval: '50 ms',
        ...((taskQueue === workflowQueue || taskQueue === childQueue) && { workflowBundle }),
        ...(interceptors && { interceptors }),
        ...(maxCachedWorkflows !== undefined && { maxCachedWorkflows }),
      }),
    ),
  );
}

async function historiesOf(env: TestWorkflowEnvironment, workflowIds: readonly string[]): Promise<WorkflowHistory[]> {
  if (workflowIds.length === 0) throw new Error('Name the workflows to replay.');
  return Promise.all(workflowIds.map(async (workflowId) => ({ workflowId, history: await env.client.workflow.getHandle(workflowId).fetchHistory() })));
}

/** Lets time pass although an activity waits for a worker: by itself, the server skips none then. */
export async function skipWhileWaiting(env: TestWorkflowEnvironment, duration: Duration): Promise<void> {
  const { testService } = env.connection;
  if (!testService) throw new Error('Only the time-skipping server skips time.');
  await testService.unlockTimeSkipping({});
  await env.sleep(duration);
  await testService.lockTimeSkipping({});
}

async function timeSkippingServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const path = process.env['TEMPORAL_TEST_SERVER'];
  if (!path) throw new Error('TEMPORAL_TEST_SERVER must name the time-skipping test server; the global setup installs it.');
  const env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: Object.fromEntries(
      Object.values(searchAttributes).map((name) => [name, temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD]),
    ),
  });
  return env;
}

/** A server whose time passes, and which suggests to continue as new after so many events of a history: by itself it does after 4,096. */
export function impatientServer(events: number): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const path = process.env['TEMPORAL_SERVER'];
  if (!path) throw new Error('TEMPORAL_SERVER must name the Temporal command line; the global setup installs it.');
  const settings = [`limit.historyCount.suggestContinueAsNew=${events}`, 'history.transferProcessorMaxPollRPS=2000'].flatMap((setting) => ['--dynamic-config-value', setting]);
  const extraArgs = [...settings, ...Object.values(searchAttributes).flatMap((name) => ['--search-attribute', `${name}=Keyword`])];
  return TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'existing-path', path }, extraArgs } });
}

/** @returns what ends the workers, once nothing of theirs runs any more. */
function start(workers: readonly Worker[]): () => Promise<void> {
  let stop = () => {};
  const stopping = new Promise<void>((resolve) => (stop = resolve));
  const stopped = runAll(workers, () => stopping);
  // A worker that dies fails the scenario that waits for it: by its timeout.
  stopped.catch(() => undefined);
  return () => {
    stop();
    return stopped;
  };
}

/** Each worker runs until the ones before it, and at last the scenario, have ended. */
function runAll<T>([worker, ...others]: readonly Worker[], scenario: () => Promise<T>): Promise<T> {
  return worker ? worker.runUntil(() => runAll(others, scenario)) : scenario();
}
