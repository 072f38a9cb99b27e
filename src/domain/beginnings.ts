import type { EventBody } from '../contracts/events';

/** What an event is the one beginning of; undefined for an event that is none. */
function beginningOf(event: EventBody): string | undefined {
  switch (event.type) {
    case 'session.started':
      return event.type;
    case 'turn.queued':
    case 'turn.started':
      return `${event.type}/${event.turnId}`;
    case 'turn.steered':
      return `${event.type}/${event.messageId}`;
    case 'step.started':
      return `${event.type}/${event.turnId}/${event.step}`;
    default:
      return undefined;
  }
}

/**
 * Leaves out what has begun already. Attempts at a step write how it begins, and with it the turn and the session, in whatever batch their way
 * leads to: of one that is refused, that recalls facts, or that answers.
 */
export function yetToBegin(events: readonly EventBody[], earlier: readonly EventBody[]): EventBody[] {
  const begun = new Set(earlier.map(beginningOf));
  return events.filter((event) => {
    const beginning = beginningOf(event);
    return beginning === undefined || !begun.has(beginning);
  });
}
