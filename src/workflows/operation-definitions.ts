import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Operation } from '../contracts/operation';

/** Kept with the run: the same operation id must not be used for another request. */
export interface OperationMemo extends Record<string, unknown> {
  readonly requestDigest: string;
}

/** Answers after the workflow has closed, too. */
export const readOperation = defineQuery<Operation>('operation');
/**
 * Returns once the operation's first step stands: the id is reserved, or the tenant blocked.
 * Fails with the code the step was refused with, or `idempotency/key-reused` when the digest is another request's.
 */
export const awaitAcceptance = defineUpdate<Operation, [{ requestDigest: string }]>('awaitAcceptance');
/** Takes back what was done. Fails with `operation/not-cancellable` when it is too late. */
export const cancelOperation = defineUpdate<Operation>('cancelOperation');
/** Makes the next attempt of a step or an undo now. */
export const retryOperation = defineSignal('retry');
