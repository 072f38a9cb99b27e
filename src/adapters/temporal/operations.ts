import { createHash } from 'node:crypto';
import { type Client, WithStartWorkflowOperation, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { DomainError, isErrorCode } from '../../contracts/errors';
import { searchAttributes, taskQueues, workflowIds } from '../../contracts/names';
import type { OffboardingRequest, OnboardingRequest, Operation } from '../../contracts/operation';
import { refusalOf } from '../../domain/operation';
import type { Operations } from '../../ports/operations';
import {
  awaitAcceptance,
  cancelOperation,
  offboardingWorkflow,
  onboardingWorkflow,
  type OperationMemo,
  readOperation,
} from '../../workflows/operation-definitions';
import { translating, unlessMissing } from './errors';

/** Longer than a healthy registry takes; a caller who is told 503 finds the same operation by repeating the request. */
const answerMs = 10_000;

const tenantAttribute = defineSearchAttributeKey(searchAttributes.tenantId, SearchAttributeType.KEYWORD);

/** Onboardings and offboardings, each a workflow on the lifecycle queue. */
export function createOperations(client: Client, answerWithinMs = answerMs): Operations {
  const handleOf = (operationId: string) => client.workflow.getHandle(workflowIds.operation(operationId));
  const calling = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + answerWithinMs, call);
  const read = (operationId: string) => calling(() => handleOf(operationId).query(readOperation));

  /** Starts the operation, or joins the one that runs under this id. */
  const begin = async (start: Start) =>
    translating(() =>
      calling(() =>
        client.workflow.executeUpdateWithStart(awaitAcceptance, {
          args: [{ requestDigest: digestOf(start.request) }],
          startWorkflowOperation: startOf(start),
        }),
      ),
    ).catch(async (error: unknown) => {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return translating(() => answerOfClosed(start));
      throw error;
    });

  /** Says what was said the first time, or how it went since. */
  const answerOfClosed = async ({ operationId, request }: Start): Promise<Operation> => {
    const { memo } = await calling(() => handleOf(operationId).describe());
    if (memo?.['requestDigest'] !== digestOf(request))
      throw new DomainError('idempotency/key-reused', 'This operation was started with another request: use a new Idempotency-Key.');
    const operation = await read(operationId);
    const refusal = refusalOf(operation);
    if (refusal) throw new DomainError(isErrorCode(refusal.code) ? refusal.code : 'internal/bug', refusal.message);
    return operation;
  };

  return {
    onboard: (operationId, request) =>
      begin({ workflow: onboardingWorkflow, operationId, request, summary: `Onboard ${request.tenantId} (${request.tier})` }),

    offboard: (operationId, request) =>
      begin({ workflow: offboardingWorkflow, operationId, request, summary: `Offboard ${request.tenantId}, grace ${request.graceSeconds} s` }),

    get: (operationId) => unlessMissing(() => read(operationId)),

    async cancel(operationId) {
      const cancelled = await unlessMissing(() => calling(() => handleOf(operationId).executeUpdate(cancelOperation)));
      if (cancelled) return cancelled;
      const ended = await unlessMissing(() => read(operationId));
      if (!ended) throw new DomainError('operation/not-found', 'There is no such operation.');
      if (ended.state === 'cancelled') return ended;
      throw new DomainError('operation/not-cancellable', `The operation has ended: it is ${ended.state}.`);
    },
  };
}

interface Start {
  readonly workflow: string;
  readonly operationId: string;
  readonly request: OnboardingRequest | OffboardingRequest;
  readonly summary: string;
}

function startOf({ workflow, operationId, request, summary }: Start) {
  const memo: OperationMemo = { requestDigest: digestOf(request) };
  return new WithStartWorkflowOperation(workflow, {
    workflowId: workflowIds.operation(operationId),
    taskQueue: taskQueues.lifecycle,
    args: [{ operationId, request }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    typedSearchAttributes: [{ key: tenantAttribute, value: request.tenantId }],
    memo,
    staticSummary: summary,
    staticDetails: `Operation \`${operationId}\`. Its steps are in the current details; the query \`operation\` answers as the API does.`,
    priority: { fairnessKey: request.tenantId },
  });
}

/** Requests come out of a schema, which orders their properties: the same request has the same digest. */
const digestOf = (request: Start['request']): string => createHash('sha256').update(JSON.stringify(request)).digest('hex');
