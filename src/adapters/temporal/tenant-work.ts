import type { Client } from '@temporalio/client';
import { searchAttributes, sessionOfWorkflow, tenantOfWork } from '../../contracts/names';
import type { TenantWork } from '../../ports/provisioning';
import type { ResourceFinder } from '../../ports/tenant-inventory';
import { sessionWorkflow } from '../../workflows/definitions';
import { translating, unlessGone, unlessMissing } from './errors';
import { listScheduleIds, listScheduleIdsOf } from './schedule-ids';

const listWithinMs = 10_000;

/** Running workflows and schedules of tenants. Temporal's lists lag behind by moments. */
export function createTenantWork(client: Client): ResourceFinder & TenantWork {
  const listing = <T>(list: () => Promise<T[]>) => translating(() => client.withDeadline(Date.now() + listWithinMs, list));

  const schedulesOf = (tenantId: string) => listing(() => listScheduleIdsOf(client, tenantId));

  const executions = (tenantId: string, which: string) =>
    listing(async () => {
      const found: { workflowId: string; runId: string }[] = [];
      const query = `${searchAttributes.tenantId}="${tenantId}" AND ${which}`;
      for await (const { workflowId, runId } of client.workflow.list({ query })) found.push({ workflowId, runId });
      return found;
    });
  /** All of them: one that was ended just now may be listed as running. */
  const sessions = async (tenantId: string) => (await executions(tenantId, `WorkflowType="${sessionWorkflow}"`)).filter(({ workflowId }) => sessionOfWorkflow(workflowId));
  const running = async (tenantId: string) => (await executions(tenantId, 'ExecutionStatus="Running"')).map(({ workflowId }) => workflowId);
  const calling = <T>(call: () => Promise<T>) => unlessMissing(() => client.withDeadline(Date.now() + listWithinMs, call));

  return {
    checks: [
      { service: 'temporal', type: 'workflow', call: 'ListWorkflowExecutions by TenantId, running' },
      { service: 'temporal', type: 'schedule', call: 'ListSchedules by ScheduleId' },
    ],
    async find(tenantId) {
      const [workflowIds, scheduleIds] = await Promise.all([running(tenantId), schedulesOf(tenantId)]);
      return [
        ...workflowIds.map((name) => ({ service: 'temporal', type: 'workflow', name })),
        ...scheduleIds.map((name) => ({ service: 'temporal', type: 'schedule', name })),
      ];
    },
    async end(tenantId, except) {
      const ids = (await running(tenantId)).filter((workflowId) => workflowId !== except.workflowId);
      for (const workflowId of ids) await calling(() => client.workflow.getHandle(workflowId).terminate('its tenant leaves'));
      return ids.length;
    },
    async deleteHistories(tenantId) {
      const listed = await sessions(tenantId);
      const { namespace } = client.options;
      for (const workflowExecution of listed) await calling(() => client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution }).catch(unlessGone));
      return listed.length;
    },
    async histories(tenantId) {
      const listed = await sessions(tenantId);
      let held = 0;
      for (const { workflowId, runId } of listed) if (await calling(() => client.workflow.getHandle(workflowId, runId).describe())) held += 1;
      return { listed: listed.length, held };
    },
    tenantIds: async () => (await listing(() => listScheduleIds(client))).flatMap((id) => tenantOfWork(id) ?? []),
  };
}
