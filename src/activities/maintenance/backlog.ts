import { Context } from '@temporalio/activity';
import { isScratchTenant, metrics as names, taskQueues } from '../../contracts/names';
import { inParallel } from '../../domain/in-parallel';
import { pagesOf } from '../../domain/pages';
import { presentIds } from '../../domain/tenant-listing';
import type { Metrics, Reading } from '../../ports/metrics';
import type { TaskQueues } from '../../ports/task-queues';
import type { TenantRegistry } from '../../ports/tenant-registry';

export interface BacklogDeps {
  readonly registry: TenantRegistry;
  readonly queues: TaskQueues;
  readonly metrics: Metrics;
}

export interface MeasuredBacklogs {
  readonly tenants: number;
  /** Tasks that wait, of all of them together. */
  readonly waiting: number;
}

/** Queues asked about side by side: a thousand take seconds. */
const sideBySide = 16;
const pageTenants = 100;

export const createBacklogActivities = ({ registry, queues, metrics }: BacklogDeps) => ({
  /** Publishes how much waits on the queue of each tenant that is not deleted. Publishing again adds a sample to the same minute, and no task. */
  async measureBacklogs(): Promise<MeasuredBacklogs> {
    const { cancellationSignal } = Context.current();
    let measured: MeasuredBacklogs = { tenants: 0, waiting: 0 };
    for await (const tenantIds of pages(registry)) {
      cancellationSignal.throwIfAborted();
      const backlogs = await inParallel(tenantIds, sideBySide, async (tenantId) => ({ tenantId, ...(await queues.backlogOf(taskQueues.tenant(tenantId))) }));
      await publishAll(metrics, backlogs.flatMap(readingsOf), cancellationSignal);
      measured = { tenants: measured.tenants + backlogs.length, waiting: backlogs.reduce((sum, { tasks }) => sum + tasks, measured.waiting) };
    }
    return measured;
  },
});

/** Ids page by page. Scratch tenants serve nobody, and are gone before anybody looks. */
async function* pages(registry: TenantRegistry): AsyncIterable<string[]> {
  for await (const listing of pagesOf((from) => registry.list({ limit: pageTenants, ...from }))) yield presentIds(listing).filter((tenantId) => !isScratchTenant(tenantId));
}

/** Zero is told too: without it no fleet would shrink. */
function readingsOf({ tenantId, tasks, ageMs }: { tenantId: string; tasks: number; ageMs: number }): Reading[] {
  const at = new Date();
  return [
    { tenantId, name: names.backlog, unit: 'Count', at, values: [[tasks, 1]] },
    ...(tasks > 0 ? [{ tenantId, name: names.backlogAge, unit: 'Seconds' as const, at, values: [[ageMs / 1_000, 1] as const] }] : []),
  ];
}

async function publishAll(metrics: Metrics, readings: readonly Reading[], signal: AbortSignal): Promise<void> {
  for (let left = readings; left.length > 0; ) left = left.slice(await metrics.publish(left, signal));
}

export type BacklogActivities = ReturnType<typeof createBacklogActivities>;
