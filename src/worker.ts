import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { activityInterceptor } from './activities/interceptor';
import { createLifecycleActivities } from './activities/lifecycle';
import { createMaintenanceActivities } from './activities/maintenance';
import { createBacklogActivities } from './activities/maintenance/backlog';
import { createTenantActivities } from './activities/tenant';
import { connectionOptions } from './adapters/temporal/connection';
import { createAdapters } from './composition';
import { type Config, loadConfig } from './config';
import { taskQueues } from './contracts/names';
import { createLogger, type Logger, logForNode } from './logging';
import { temporalLogger } from './workers/temporal-logger';
import { Colleagues } from './workers/colleagues';
import { ServedTenants } from './workers/served-tenants';
import { TenantWorkers } from './workers/tenant-workers';

/** A tenant's worker runs activities only. */
const unusedSlots = {
  workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 2 },
  localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
  nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
} as const;

const shutdownGraceTime = '10 seconds';

/** A process that is busy for a moment is not taken for dead. */
const shortestAbsenceMs = 5_000;

/** What was changed by hand, or announced in vain, is heard of after this. */
const mostAgeMs = 30_000;

/** Composition root of the worker: sessions, lifecycle, maintenance, and one worker per tenant, on one connection. */
async function main(): Promise<void> {
  const config = loadConfig();
  const logger = createLogger('worker', config.logLevel);
  const stopping = stopSignal(logger);
  Runtime.install({ logger: temporalLogger(logger), shutdownSignals: [] });
  const connection = await connect(config, logger, stopping);
  if (!connection) return;

  const adapters = createAdapters(config, logger);
  const base = {
    connection,
    namespace: config.temporal.namespace,
    dataConverter: adapters.dataConverter,
    shutdownGraceTime,
    // The default holds heartbeats back for seconds: a cancellation should arrive within one.
    maxHeartbeatThrottleInterval: '1 second',
    interceptors: { activity: [activityInterceptor] },
  } satisfies Partial<WorkerOptions>;
  const workflows = {
    ...base,
    workflowBundle: { codePath: config.worker.workflowBundle ?? path.join(__dirname, 'workflows/bundle.generated.js') },
    // What a dead worker held in its cache waits this long before another one may take it.
    stickyQueueScheduleToStartTimeout: '2 seconds',
    ...versioned(config.worker.version),
  } satisfies Partial<WorkerOptions>;

  const workers = await Promise.all([
    Worker.create({ ...workflows, taskQueue: taskQueues.sessions, maxCachedWorkflows: 2_000 }),
    Worker.create({ ...workflows, taskQueue: taskQueues.lifecycle, activities: { ...createLifecycleActivities(adapters), ...createBacklogActivities(adapters) }, maxCachedWorkflows: 200 }),
    Worker.create({
      ...workflows,
      taskQueue: taskQueues.maintenance,
      activities: createMaintenanceActivities(adapters),
      maxConcurrentActivityTaskExecutions: config.worker.maintenanceSlots,
      maxCachedWorkflows: 100,
    }),
  ]);
  const activities = createTenantActivities(adapters);
  const { reconcileMs, tenantsPerWorker } = config.worker;
  const workerId = `${process.pid}@${os.hostname()}/${randomUUID().slice(0, 8)}`;
  const tenantWorkers = new TenantWorkers({
    servedTenants: new ServedTenants({ registry: adapters.registry, changes: adapters.tenantChanges, tiers: adapters.tiers, mostAgeMs: Math.max(mostAgeMs, reconcileMs), logger }),
    colleagues: new Colleagues({ roster: adapters.workerRoster, workerId, absentAfterMs: Math.max(shortestAbsenceMs, 5 * reconcileMs) }),
    tenantsPerWorker,
    intervalMs: reconcileMs,
    logger,
    createWorker: (taskQueue, slots) =>
      Worker.create({
        ...base,
        taskQueue,
        activities,
        tuner: { ...unusedSlots, activityTaskSlotSupplier: slots },
        activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 1, maximum: 10 },
      }),
  });

  tenantWorkers.start();
  void stopping.promise.then(() => workers.forEach((worker) => worker.shutdown()));
  logger.info('worker ready');
  await Promise.all(workers.map((worker) => worker.run()));
  await tenantWorkers.stop();
  await adapters.close();
  await connection.close();
  logger.info('worker stopped');
}

/** A workflow goes on in whichever version is current. The tenants' queues have none: Temporal allows a hundred queues a version. */
const versioned = (version: Config['worker']['version']): Pick<WorkerOptions, 'workerDeploymentOptions'> =>
  version ? { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'AUTO_UPGRADE' } } : {};

interface StopSignal {
  readonly isRequested: boolean;
  readonly promise: Promise<void>;
}

function stopSignal(logger: Logger): StopSignal {
  const state = { isRequested: false, promise: Promise.resolve() };
  state.promise = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        logger.info({ signal }, 'stopping: no new work, what runs may finish');
        state.isRequested = true;
        resolve();
      });
  });
  return state;
}

/** Waits for Temporal as long as it takes: a worker started before its server is no mistake. */
async function connect(config: Config, logger: Logger, stopping: StopSignal): Promise<NativeConnection | undefined> {
  for (let waitMs = 250; !stopping.isRequested; waitMs = Math.min(waitMs * 2, 5_000)) {
    try {
      return await NativeConnection.connect(connectionOptions(config.temporal));
    } catch (error) {
      logger.warn({ err: error, address: config.temporal.address }, 'Temporal does not answer; trying again');
      await Promise.race([delay(waitMs), stopping.promise]);
    }
  }
  return undefined;
}

logForNode('worker');

main().catch((error: unknown) => {
  createLogger('worker', 'fatal').fatal({ err: error }, 'the worker could not go on');
  process.exit(1);
});
