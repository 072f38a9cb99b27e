import { Context } from '@temporalio/activity';

/** What each running activity has said last with its heartbeat. */
const said = new WeakMap<Context, unknown>();

/** Says something with the heartbeat, and from now on with every one that follows: the Temporal UI shows it, and the next attempt is given it. */
export function beat(details: unknown, context = Context.current()): void {
  said.set(context, details);
  context.heartbeat(details);
}

/** Beats once more. A heartbeat replaces what the one before has said: so it says that again, and before the first word what the attempt before has left. */
export function beatOn(): void {
  const context = Context.current();
  context.heartbeat(said.has(context) ? said.get(context) : context.info.heartbeatDetails);
}
