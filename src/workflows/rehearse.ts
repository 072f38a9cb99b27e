import { ChildWorkflowFailure, executeChild, ParentClosePolicy, uuid4 } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { operationIds, scratchTenantId, searchAttributes, taskQueues, workflowIds } from '../contracts/names';
import type { Operation } from '../contracts/operation';
import { summarize } from '../domain/operation';
import type { rehearsal } from './rehearsal';

/**
 * Rehearses the restore of a backup as a child workflow, each time in a scratch tenant of its own. When the caller is
 * cancelled, it returns once the scratch tenant is gone; should the caller end first, the child clears away by itself.
 *
 * @returns the child's operation: its steps have durations, `comparison` has the counts.
 * @throws ApplicationFailure with the code of what failed, `backup/incomplete` among them; CancelledFailure.
 */
export async function rehearseRestore({ sourceTenantId, backupId }: { sourceTenantId: string; backupId: string }): Promise<Operation> {
  const unique = uuid4().replaceAll('-', '').slice(0, 26);
  const tenantId = scratchTenantId(unique);
  const operationId = operationIds.of('rehearsal', tenantId, unique);
  const request = { tenantId, sourceTenantId, backupId };
  try {
    return await executeChild<typeof rehearsal>('rehearsal', {
      workflowId: workflowIds.operation(operationId),
      taskQueue: taskQueues.lifecycle,
      args: [{ operationId, request }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      typedSearchAttributes: [
        { key: tenantKey, value: tenantId },
        { key: stateKey, value: 'running' },
      ],
      staticSummary: summarize('rehearsal', request),
    });
  } catch (error) {
    // Its cause says whether trying again can help.
    if (error instanceof ChildWorkflowFailure && error.cause) throw error.cause;
    throw error;
  }
}

const tenantKey = defineSearchAttributeKey(searchAttributes.tenantId, SearchAttributeType.KEYWORD);
const stateKey = defineSearchAttributeKey(searchAttributes.operationState, SearchAttributeType.KEYWORD);
