import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { activityInterceptor } from '../../src/activities/interceptor';
import { createLifecycleActivities } from '../../src/activities/lifecycle';
import { createMaintenanceActivities } from '../../src/activities/maintenance';
import { createBacklogActivities } from '../../src/activities/maintenance/backlog';
import { createTenantActivities } from '../../src/activities/tenant';
import { connectionOptions } from '../../src/adapters/temporal/connection';
import type { Adapters } from '../../src/composition';
import { loadConfig } from '../../src/config';
import { taskQueues } from '../../src/contracts/names';
import { bundleOfPlatform } from '../support/bundle';

const logger = new DefaultLogger('ERROR');

/** The workers of src/worker.ts in this process, for these tenants. @returns how to stop them. */
export async function startWorkers(adapters: Adapters, tenantIds: readonly string[]): Promise<() => Promise<void>> {
  Runtime.install({ logger, telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } } });
  const { temporal } = loadConfig();
  const connection = await NativeConnection.connect(connectionOptions(temporal));
  const workflowBundle = await bundleOfPlatform();
  const base = { connection, namespace: temporal.namespace, dataConverter: adapters.dataConverter, interceptors: { activity: [activityInterceptor] }, maxHeartbeatThrottleInterval: '100 ms' } satisfies Partial<WorkerOptions>;
  const tenantActivities = createTenantActivities(adapters);
  const workers = await Promise.all([
    Worker.create({ ...base, workflowBundle, taskQueue: taskQueues.sessions }),
    Worker.create({ ...base, workflowBundle, taskQueue: taskQueues.lifecycle, activities: { ...createLifecycleActivities(adapters), ...createBacklogActivities(adapters) } }),
    Worker.create({ ...base, workflowBundle, taskQueue: taskQueues.maintenance, activities: createMaintenanceActivities(adapters) }),
    ...tenantIds.map((tenantId) => Worker.create({ ...base, taskQueue: taskQueues.tenant(tenantId), activities: tenantActivities })),
  ]);
  const running = workers.map((worker) => worker.run());
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  };
}
