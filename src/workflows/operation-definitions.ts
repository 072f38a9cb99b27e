import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { OffboardingRequest, OnboardingRequest, Operation } from '../contracts/operation';

export interface OnboardingInput {
  readonly operationId: string;
  readonly request: OnboardingRequest;
}

export interface OffboardingInput {
  readonly operationId: string;
  readonly request: OffboardingRequest;
}

/** Kept with the run: the same operation id must not be used for another request. */
export interface OperationMemo extends Record<string, unknown> {
  readonly requestDigest: string;
}

/** Names under which clients start the workflows. */
export const onboardingWorkflow = 'onboarding';
export const offboardingWorkflow = 'offboarding';

/** Answers after the workflow has closed, too. */
export const readOperation = defineQuery<Operation>('operation');
/**
 * Returns once the operation's first step stands: the id is reserved, or the tenant blocked.
 * Fails with the code the step was refused with, or `idempotency/key-reused` when the digest is another request's.
 */
export const awaitAcceptance = defineUpdate<Operation, [{ requestDigest: string }]>('awaitAcceptance');
/** Takes back what was done. Fails with `operation/not-cancellable` when it is too late. */
export const cancelOperation = defineUpdate<Operation>('cancelOperation');
/** Tries a step or an undo that gave up, now. */
export const retryOperation = defineSignal('retry');
