import { type Client, WithStartWorkflowOperation, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { LRUCache } from 'lru-cache';
import { DomainError, isErrorCode } from '../../contracts/errors';
import { type OperationKind, taskQueues, workflowIds } from '../../contracts/names';
import type { Operation, OperationRequests } from '../../contracts/operation';
import { requestDigest } from '../../contracts/request-digest';
import { awaitsRetry, estimatedFinish, refusalOf, summarize } from '../../domain/operation';
import type { Operations } from '../../ports/operations';
import { awaitAcceptance, cancelOperation, type OperationMemo, readOperation, retryOperation } from '../../workflows/operation-definitions';
import { operationStateKey, tenantKey } from '../../workflows/search-attributes';
import { translating, unlessMissing } from './errors';
import { listOperations } from './operation-list';

/** Longer than a healthy registry takes; a caller who is told 503 finds the same operation by repeating the request. */
const answerMs = 10_000;
/** Operations an estimate is made from, and how long it is good. */
const sampleSize = 5;
const sampleAgeMs = 10 * 60_000;

/** What is done to tenants, each a workflow on the lifecycle queue. */
export function createOperations(client: Client, answerWithinMs = answerMs): Operations {
  const handleOf = (operationId: string) => client.workflow.getHandle(workflowIds.operation(operationId));
  const calling = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + answerWithinMs, call);
  const read = (operationId: string) => calling(() => handleOf(operationId).query(readOperation));
  const mustRead = async (operationId: string): Promise<Operation> => {
    const operation = await unlessMissing(() => read(operationId));
    if (!operation) throw new DomainError('operation/not-found', 'There is no such operation.');
    return operation;
  };

  /** Starts the operation, or joins the one that runs under this id. */
  const begin = async (start: Start, reuse: IdReuse = 'REJECT_DUPLICATE'): Promise<Operation> =>
    translating(() =>
      calling(() =>
        client.workflow.executeUpdateWithStart(awaitAcceptance, {
          args: [{ requestDigest: requestDigest(start.request) }],
          startWorkflowOperation: withOperationStart(start, reuse),
        }),
      ),
    ).catch(async (error: unknown) => {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return translating(() => answerOfClosed(start));
      throw error;
    });

  /** Says what was said the first time, or how it went since. What another operation was in the way of is tried anew: the refusal has said so. */
  const answerOfClosed = async ({ kind, operationId, request }: Start): Promise<Operation> => {
    const { memo } = await calling(() => handleOf(operationId).describe());
    if (memo?.['requestDigest'] !== requestDigest(request))
      throw new DomainError('idempotency/key-reused', 'This operation was started with another request: use a new Idempotency-Key.');
    const operation = await read(operationId);
    const refusal = refusalOf(operation);
    if (!refusal) return operation;
    const code = isErrorCode(refusal.code) ? refusal.code : 'internal/bug';
    if (code === 'tenant/busy') return begin({ kind, operationId, request }, 'ALLOW_DUPLICATE_FAILED_ONLY');
    throw new DomainError(code, refusal.message);
  };

  /** The last of a kind that were completed: how long their steps took. */
  const samples = new LRUCache<OperationKind, Operation[]>({
    max: 100,
    ttl: sampleAgeMs,
    async fetchMethod(kind) {
      const { operations } = await calling(() => listOperations(client, { kind, state: 'completed', stuck: false }, { limit: sampleSize }));
      return Promise.all(operations.map(({ operationId }) => calling(() => handleOf(operationId).result() as Promise<Operation>)));
    },
  });
  const estimated = async (operation: Operation): Promise<Operation> => {
    if (operation.finishedAt !== undefined) return operation;
    // An estimate is no reason to fail.
    const earlier = await samples.forceFetch(operation.kind).catch(() => []);
    const estimatedFinishAt = estimatedFinish(operation, earlier, Date.now());
    return { ...operation, ...(estimatedFinishAt !== undefined && { estimatedFinishAt }) };
  };

  return {
    start: (kind, operationId, request) => begin({ kind, operationId, request }),

    async get(operationId) {
      const operation = await unlessMissing(() => read(operationId));
      return operation && estimated(operation);
    },

    async isRunning(operationId) {
      const description = await unlessMissing(() => calling(() => handleOf(operationId).describe()));
      return description?.status.name === 'RUNNING';
    },

    list: (filter, page) => translating(() => calling(() => listOperations(client, filter, page))),

    async cancel(operationId) {
      const cancelled = await unlessMissing(() => calling(() => handleOf(operationId).executeUpdate(cancelOperation)));
      if (cancelled) return cancelled;
      const ended = await mustRead(operationId);
      if (ended.state === 'cancelled') return ended;
      throw new DomainError('operation/not-cancellable', `The operation has ended: it is ${ended.state}.`);
    },

    async retry(operationId) {
      const operation = await mustRead(operationId);
      if (!awaitsRetry(operation)) throw new DomainError('operation/nothing-to-retry', `No step waits for another attempt: the operation is ${operation.state}.`);
      await unlessMissing(() => calling(() => handleOf(operationId).signal(retryOperation)));
      return operation;
    },
  };
}

interface Start<Kind extends OperationKind = OperationKind> {
  readonly kind: Kind;
  readonly operationId: string;
  readonly request: OperationRequests[Kind];
}

/** Only a workflow that failed makes way for another of its id: one that was completed stays, whoever was faster. */
type IdReuse = 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE_FAILED_ONLY';

function withOperationStart({ kind, operationId, request }: Start, workflowIdReusePolicy: IdReuse) {
  const memo: OperationMemo = { requestDigest: requestDigest(request) };
  return new WithStartWorkflowOperation(kind, {
    workflowId: workflowIds.operation(operationId),
    taskQueue: taskQueues.lifecycle,
    args: [{ operationId, request }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy,
    typedSearchAttributes: [
      { key: tenantKey, value: request.tenantId },
      { key: operationStateKey, value: 'running' },
    ],
    memo,
    staticSummary: summarize(kind, request),
    staticDetails: `Operation \`${operationId}\`. Its steps are in the current details; the query \`operation\` answers as the API does.`,
    priority: { fairnessKey: request.tenantId },
  });
}
