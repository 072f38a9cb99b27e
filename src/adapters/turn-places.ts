import type { LiveEntry } from '../contracts/events';
import type { LiveEvents } from '../ports/live-events';
import type { Places } from '../ports/places';

/** What is under way no longer: a turn that ended, or a message that became part of another turn. */
const endedBy = (entry: LiveEntry): string | undefined => (entry.type === 'turn.completed' ? entry.turnId : entry.type === 'turn.steered' ? entry.messageId : undefined);

/** Live events, of which the end of a turn also gives its place back. */
export const vacatingPlaces = (live: LiveEvents, places: Places): LiveEvents => ({
  ...live,
  publish(session, entries) {
    for (const id of entries.flatMap((entry) => endedBy(entry) ?? [])) void places.vacate({ tenantId: session.tenantId, thing: 'turns', id });
    live.publish(session, entries);
  },
});
