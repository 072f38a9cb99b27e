import { Context } from '@temporalio/activity';
import type { Waiting } from '../../ports/provisioning';
import { beat } from '../beat';

/** What a long wait needs, from the activity it happens in: its details show in the Temporal UI, and cancelling ends it. */
export function waiting(): Waiting {
  const context = Context.current();
  return { signal: context.cancellationSignal, beat: (detail) => beat(detail, context) };
}

const longestPauseMs = 1_000;

/** Pauses that grow to a second; cancelling the activity ends them with CancelledFailure. */
export function pauses(): () => Promise<void> {
  let pauseMs = 50;
  return async () => {
    await Context.current().sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
  };
}
