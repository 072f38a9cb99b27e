import { ActivityFailure, TimeoutFailure } from '@temporalio/workflow';
import { codeOf, type ErrorCode, publicFailure } from '../contracts/errors';

const timeoutOf = (error: ActivityFailure) => (error.cause instanceof TimeoutFailure ? error.cause.timeoutType : undefined);

/**
 * Whether the whole time that an activity had is over. It is also when what is left is too short for another attempt: Temporal then gives the
 * last one's failure, which says something only when it was an expected one.
 */
export function isOutOfTime(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  return timeoutOf(error) === 'SCHEDULE_TO_CLOSE' || (error.retryState === 'TIMEOUT' && codeOf(error) === undefined);
}

/** What the model is told of a call that failed for good. @param times - what one attempt at it may take, and what the turn had left when it began. */
export function toolFailure(error: unknown, { timeoutMs, timeLeftMs }: { readonly timeoutMs: number; readonly timeLeftMs: number }): { readonly code: ErrorCode; readonly message: string } {
  const failure = publicFailure(error, 'tool/failed');
  if (codeOf(error) !== undefined) return failure;
  const isSlow = error instanceof ActivityFailure && timeoutOf(error) === 'START_TO_CLOSE';
  if (isSlow && timeoutMs < timeLeftMs) return { ...failure, message: `The tool did not answer within ${timeoutMs / 1_000} seconds.` };
  return isSlow || isOutOfTime(error) ? { ...failure, message: 'The time of the turn was up before the tool had answered.' } : failure;
}
