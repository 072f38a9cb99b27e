import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { tsToDate } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import { DomainError } from '../../contracts/errors';
import { type OperationKind, operationKinds, operationOfWorkflow, type OperationState, operationStates, searchAttributes, tenantOfOperation } from '../../contracts/names';
import type { OperationSummary } from '../../contracts/operation';
import { isSearchableState, searchableStateOf } from '../../domain/operation';
import type { OperationFilter } from '../../ports/operations';
import type { PageRequest } from '../../ports/page';

type Execution = temporal.api.workflow.v1.IWorkflowExecutionInfo;
const { WorkflowExecutionStatus } = temporal.api.enums.v1;

/** Pages of Temporal's own list, which lags behind by about a second. */
export async function listOperations(
  { connection, options: { namespace } }: Client,
  filter: OperationFilter,
  { limit, cursor }: PageRequest,
): Promise<{ operations: OperationSummary[]; nextCursor?: string }> {
  const { executions, nextPageToken } = await connection.workflowService.listWorkflowExecutions({
    namespace,
    query: queryOf(filter),
    pageSize: limit,
    ...(cursor !== undefined && { nextPageToken: tokenOf(cursor) }),
  });
  return {
    operations: executions.map(summaryOf),
    ...(nextPageToken.length > 0 && { nextCursor: cursorOf(nextPageToken) }),
  };
}

/** All values come out of schemas: none holds a quote. */
function queryOf({ tenantId, kind, state, stuck, since, until }: OperationFilter): string {
  const states = searchableStates(state, stuck);
  return [
    `WorkflowType IN (${quoted(kind ? [kind] : operationKinds)})`,
    ...(tenantId === undefined ? [] : [`${searchAttributes.tenantId}=${quoted([tenantId])}`]),
    ...(states ? [`${searchAttributes.operationState} IN (${quoted(states)})`] : []),
    ...(since === undefined ? [] : [`StartTime >= ${quoted([since])}`]),
    ...(until === undefined ? [] : [`StartTime < ${quoted([until])}`]),
  ].join(' AND ');
}

const quoted = (values: readonly string[]): string => values.map((value) => `"${value}"`).join(', ');

function searchableStates(state: OperationState | undefined, stuck: boolean | undefined): string[] | undefined {
  if (state === undefined && stuck === undefined) return undefined;
  const states: readonly OperationState[] = state === undefined ? operationStates : [state];
  const kinds = stuck === undefined ? [true, false] : [stuck];
  return states.flatMap((one) => kinds.map((isStuck) => searchableStateOf({ state: one, stuck: isStuck })));
}

/** Temporal takes a token it did not make for a fault of its own: with a checksum in front, we know first. */
function cursorOf(token: Uint8Array): string {
  return Buffer.concat([checksumOf(token), token]).toString('base64url');
}

/** @throws DomainError `cursor/unknown` */
function tokenOf(cursor: string): Uint8Array {
  const bytes = Buffer.from(cursor, 'base64url');
  const token = bytes.subarray(checksumBytes);
  if (!bytes.subarray(0, checksumBytes).equals(checksumOf(token))) throw new DomainError('cursor/unknown', 'The cursor is not one of this list. Start without one.');
  return token;
}

const checksumBytes = 4;
const checksumOf = (token: Uint8Array): Buffer => createHash('sha256').update(token).digest().subarray(0, checksumBytes);

function summaryOf(execution: Execution): OperationSummary {
  const operationId = operationOfWorkflow(execution.execution?.workflowId ?? '') ?? '';
  return {
    operationId,
    kind: execution.type?.name as OperationKind,
    tenantId: tenantOfOperation(operationId),
    ...stateOf(execution),
    startedAt: tsToDate(execution.startTime ?? {}).toISOString(),
    ...(execution.closeTime && { finishedAt: tsToDate(execution.closeTime).toISOString() }),
  };
}

/** Operations that began before their state could be searched for tell it by Temporal's own status. */
function stateOf({ searchAttributes: attributes, status }: Execution): Pick<OperationSummary, 'state' | 'stuck'> {
  const data = attributes?.indexedFields?.[searchAttributes.operationState]?.data;
  const searchable: unknown = data && JSON.parse(Buffer.from(data).toString());
  if (isSearchableState(searchable)) {
    const [state, stuck] = searchable.split(' ') as [OperationState, 'stuck'?];
    return { state, stuck: stuck !== undefined };
  }
  if (status === WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING) return { state: 'running', stuck: false };
  return { state: status === WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED ? 'completed' : 'undone', stuck: false };
}
