import type { Client } from '@temporalio/client';
import { searchAttributes, tenantOfWork } from '../../contracts/names';
import type { ResourceFinder } from '../../ports/tenant-inventory';
import { translating } from './errors';

const listWithinMs = 10_000;

/** Running workflows and schedules of tenants. Temporal's lists lag behind by moments. */
export function createTenantWork(client: Client): ResourceFinder {
  const listing = <T>(list: () => Promise<T[]>) => translating(() => client.withDeadline(Date.now() + listWithinMs, list));

  const schedules = () =>
    listing(async () => {
      const ids: string[] = [];
      for await (const { scheduleId } of client.schedule.list()) ids.push(scheduleId);
      return ids;
    });

  const running = (tenantId: string) =>
    listing(async () => {
      const ids: string[] = [];
      const query = `${searchAttributes.tenantId}="${tenantId}" AND ExecutionStatus="Running"`;
      for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
      return ids;
    });

  return {
    checks: [
      { service: 'temporal', type: 'workflow', call: 'ListWorkflowExecutions by TenantId, running' },
      { service: 'temporal', type: 'schedule', call: 'ListSchedules' },
    ],
    async find(tenantId) {
      const [workflowIds, scheduleIds] = await Promise.all([running(tenantId), schedules()]);
      return [
        ...workflowIds.map((name) => ({ service: 'temporal', type: 'workflow', name })),
        ...scheduleIds.filter((id) => tenantOfWork(id) === tenantId).map((name) => ({ service: 'temporal', type: 'schedule', name })),
      ];
    },
    tenantIds: async () => (await schedules()).flatMap((id) => tenantOfWork(id) ?? []),
  };
}
