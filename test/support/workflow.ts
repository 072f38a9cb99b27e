import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Duration } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, makeTelemetryFilterString, Runtime, Worker, type WorkerOptions, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { searchAttributes } from '../../src/contracts/names';

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
}

const logger = new DefaultLogger('ERROR');

let isInstalled = false;
function quietRuntime() {
  if (!isInstalled) Runtime.install({ logger, telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } } });
  isInstalled = true;
}

const bundles = new Map<string, Promise<WorkflowBundleWithSourceMap>>();

/** Bundled once per test file: webpack takes seconds. */
function bundleOf(workflowsPath: string): Promise<WorkflowBundleWithSourceMap> {
  const known = bundles.get(workflowsPath) ?? bundleWorkflowCode({ workflowsPath, logger });
  bundles.set(workflowsPath, known);
  return known;
}

/**
 * Runs a scenario against real workers on Temporal's time-skipping server, then replays every workflow it names from
 * its history: a workflow that would not replay would be stuck after a deploy.
 *
 * @param scenario - returns the ids of the workflows to replay; at least one.
 */
export async function withWorkers(
  { workflowsPath, workflowQueue, childQueue, activities, interceptors }: WorkersInput,
  scenario: (env: TestWorkflowEnvironment) => Promise<readonly string[]>,
): Promise<void> {
  quietRuntime();
  const workflowBundle = await bundleOf(workflowsPath);
  const env = await timeSkippingServer();
  try {
    await env.connection.operatorService.addSearchAttributes({
      namespace: env.namespace ?? 'default',
      searchAttributes: Object.fromEntries(
        Object.values(searchAttributes).map((name) => [name, temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD]),
      ),
    });
    const queues = Object.entries({ [workflowQueue]: {}, ...activities });
    const workers = await Promise.all(
      queues.map(([taskQueue, ofQueue]) =>
        Worker.create({
          connection: env.nativeConnection,
          taskQueue,
          activities: ofQueue,
          // Cancellations travel with heartbeats: do not hold them back.
          maxHeartbeatThrottleInterval: '50 ms',
          ...((taskQueue === workflowQueue || taskQueue === childQueue) && { workflowBundle }),
          ...(interceptors && { interceptors }),
        }),
      ),
    );
    const workflowIds = await runAll(workers, () => scenario(env));
    if (workflowIds.length === 0) throw new Error('Name the workflows to replay.');
    for (const workflowId of workflowIds) {
      const history = await env.client.workflow.getHandle(workflowId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
    }
  } finally {
    await env.teardown();
  }
}

/** Lets time pass although an activity waits for a worker: by itself, the server skips none then. */
export async function skipWhileWaiting(env: TestWorkflowEnvironment, duration: Duration): Promise<void> {
  const { testService } = env.connection;
  if (!testService) throw new Error('Only the time-skipping server skips time.');
  await testService.unlockTimeSkipping({});
  await env.sleep(duration);
  await testService.lockTimeSkipping({});
}

function timeSkippingServer(): Promise<TestWorkflowEnvironment> {
  const path = process.env['TEMPORAL_TEST_SERVER'];
  if (!path) throw new Error('TEMPORAL_TEST_SERVER must name the time-skipping test server; the global setup installs it.');
  return TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
}

/** Each worker runs until the ones before it, and at last the scenario, have ended. */
function runAll<T>([worker, ...others]: readonly Worker[], scenario: () => Promise<T>): Promise<T> {
  return worker ? worker.runUntil(() => runAll(others, scenario)) : scenario();
}
