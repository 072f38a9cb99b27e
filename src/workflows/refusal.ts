import { ApplicationFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../contracts/errors';

/** For a `throw`: what is asked is not done, and trying again does not help. */
export const refusal = (code: ErrorCode, message: string): ApplicationFailure => ApplicationFailure.nonRetryable(message, code);
