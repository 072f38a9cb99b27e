import { ChildWorkflowFailure, executeChild, ParentClosePolicy, patched } from '@temporalio/workflow';
import { type OperationKind, operationIds, taskQueues, workflowIds } from '../contracts/names';
import type { Operation, OperationRequests } from '../contracts/operation';
import { summarize } from '../domain/operation';
import { refusal } from './refusal';
import { operationStateKey, tenantKey } from './search-attributes';

/**
 * Carries an operation out as a child workflow, listed and shown as any other. When the caller is cancelled, it returns once
 * what was done is undone; should the caller end first, the child undoes it by itself.
 *
 * @param unique - 26 letters and digits, of this operation only.
 * @returns the operation: completed, or cancelled by an operator.
 * @throws ApplicationFailure with the code of what failed; CancelledFailure.
 */
export async function runOperation<Kind extends OperationKind>(kind: Kind, request: OperationRequests[Kind], unique: string): Promise<Operation> {
  const operationId = operationIds.of(kind, request.tenantId, unique);
  try {
    return (await executeChild(kind, {
      workflowId: workflowIds.operation(operationId),
      taskQueue: taskQueues.lifecycle,
      args: [{ operationId, request }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      typedSearchAttributes: [
        { key: tenantKey, value: request.tenantId },
        { key: operationStateKey, value: 'running' },
      ],
      staticSummary: summarize(kind, request),
      priority: { fairnessKey: request.tenantId },
    })) as Operation;
  } catch (error) {
    // Its cause says whether trying again can help.
    if (error instanceof ChildWorkflowFailure && error.cause) throw error.cause;
    throw error;
  }
}

/**
 * As {@link runOperation}, for who relies on what it does.
 * @returns the operation: completed.
 * @throws ApplicationFailure with the code of what failed, `operation/called-off` when an operator cancelled it; CancelledFailure.
 */
export async function completeOperation<Kind extends OperationKind>(kind: Kind, request: OperationRequests[Kind], unique: string): Promise<Operation> {
  const operation = await runOperation(kind, request, unique);
  if (operation.state !== 'completed' && patched('called-off'))
    throw refusal('operation/called-off', `Operation ${operation.operationId} was called off: what relies on it does not go on. Start it anew.`);
  return operation;
}

/** The unique part of an operation's id. @param uuid - of the workflow, which is the same when it replays. */
export const uniqueOf = (uuid: string): string => uuid.replaceAll('-', '').slice(0, 26);
