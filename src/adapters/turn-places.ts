import type { LiveEvents } from '../ports/live-events';
import type { Places } from '../ports/places';

/** Live events, of which the end of a turn also gives its place back. */
export const vacatingPlaces = (live: LiveEvents, places: Places): LiveEvents => ({
  ...live,
  publish(session, entries) {
    for (const entry of entries) if (entry.type === 'turn.completed') void places.vacate({ tenantId: session.tenantId, thing: 'turns', id: entry.turnId });
    live.publish(session, entries);
  },
});
