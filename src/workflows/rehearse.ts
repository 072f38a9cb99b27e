import { uuid4 } from '@temporalio/workflow';
import { scratchTenantId } from '../contracts/names';
import type { Operation } from '../contracts/operation';
import { completeOperation, uniqueOf } from './child-operation';

/**
 * Rehearses the restore of a backup, each time in a scratch tenant of its own: when the caller is cancelled, that is cleared
 * away before it returns.
 *
 * @returns the operation: its steps have durations, `comparison` has the counts.
 * @throws ApplicationFailure with the code of what failed, `backup/incomplete` among them, `operation/called-off` when an operator cancelled it; CancelledFailure.
 */
export function rehearseRestore({ sourceTenantId, backupId }: { sourceTenantId: string; backupId: string }): Promise<Operation> {
  const unique = uniqueOf(uuid4());
  return completeOperation('rehearsal', { tenantId: scratchTenantId(unique), sourceTenantId, backupId }, unique);
}
