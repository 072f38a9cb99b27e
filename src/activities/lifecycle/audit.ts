import { Context } from '@temporalio/activity';
import { auditChainOf, auditOnce } from '../../contracts/names';
import { type EndedOperation, operationEnded } from '../../domain/audit';
import type { AuditLog } from '../../ports/audit';

export interface AuditActivityDeps {
  readonly audit: AuditLog;
}

/** What workflows tell the audit log. */
export const createAuditActivities = ({ audit }: AuditActivityDeps) => ({
  /** That an operation has ended, and how: once, however often it is tried. */
  async auditOperationEnd({ tenantId, ...ended }: Omit<EndedOperation, 'workflowId'> & { tenantId: string }): Promise<void> {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    await audit.append(auditChainOf(tenantId), [operationEnded({ ...ended, workflowId })], auditOnce.operationEnded(ended.operationId));
  },
});
