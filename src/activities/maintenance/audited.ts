import { Context } from '@temporalio/activity';
import { auditChainOf, auditOnce, type MaintenanceJobName } from '../../contracts/names';
import { jobChanged } from '../../domain/audit';
import type { AuditLog } from '../../ports/audit';

/** Tells a tenant's audit log what a run of one of its jobs deleted or closed: once for each run, however often it is tried. */
export async function tellChanges(audit: AuditLog, { tenantId, job, objects }: { tenantId: string; job: MaintenanceJobName; objects: readonly string[] }): Promise<void> {
  const { workflowId = '', runId = '' } = Context.current().info.workflowExecution ?? {};
  await audit.append(auditChainOf(tenantId), jobChanged(job, objects, { at: new Date().toISOString(), workflowId }), auditOnce.run(job, runId));
}
