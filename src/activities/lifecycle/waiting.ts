import { Context } from '@temporalio/activity';
import type { Waiting } from '../../ports/provisioning';

/** What a long wait needs, from the activity it happens in: its details show in the Temporal UI, and cancelling ends it. */
export function waiting(): Waiting {
  const context = Context.current();
  return { signal: context.cancellationSignal, beat: (detail) => context.heartbeat(detail) };
}
