import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../contracts/errors';
import type { Operation } from '../contracts/operation';
import type { Operations } from '../ports/operations';

const pollMs = 500;

export interface OperationFeedInput {
  readonly operation: Operation;
  /** Revision the reader has seen; -1 for none. */
  readonly after: number;
  readonly operations: Operations;
  readonly signal: AbortSignal;
}

/**
 * An operation each time it has changed, until it ends or the signal aborts; `idle` while it has not. Asking costs its
 * workflow no history. A service that is away for a while is waited for.
 */
export async function* operationFeed({ operation, after, operations, signal }: OperationFeedInput): AsyncGenerator<Operation | 'idle'> {
  let told = after;
  for (let seen: Operation | undefined = operation; ; seen = await readAgain(operations, operation.operationId)) {
    if (seen && seen.revision > told) {
      told = seen.revision;
      yield seen;
    } else yield 'idle';
    if (seen?.finishedAt !== undefined || signal.aborted) return;
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

async function readAgain(operations: Operations, operationId: string): Promise<Operation | undefined> {
  try {
    return await operations.get(operationId);
  } catch (error) {
    if (codeOf(error) === 'dependency/unavailable') return undefined;
    throw error;
  }
}
