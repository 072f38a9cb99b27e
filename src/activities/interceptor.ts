import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { DomainError, errors } from '../contracts/errors';
import { beatOn } from './beat';

const beatMs = 1_000;

/**
 * What every activity needs and none should spell: it beats each second, so that a dead worker is noticed and a
 * cancellation arrives; and an expected error becomes a failure that carries its code and whether to try again.
 */
export const activityInterceptor = (): { inbound: ActivityInboundCallsInterceptor } => ({
  inbound: {
    async execute(input, next) {
      const beating = setInterval(beatOn, beatMs);
      try {
        return await next(input);
      } catch (error) {
        throw toFailure(error);
      } finally {
        clearInterval(beating);
      }
    },
  },
});

/** Bugs pass through untouched: they are tried again, and logged with their stack. */
export function toFailure(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  if (error.cause !== undefined) log.debug('expected failure', { code: error.code, cause: error.cause });
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !errors[error.code].retryable,
    ...(error.retryAfterSeconds !== undefined && { nextRetryDelay: error.retryAfterSeconds * 1_000 }),
  });
}
