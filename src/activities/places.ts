import { DomainError } from '../contracts/errors';
import type { ServedTenant } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf, noPlace, placeHeldMs, placeLimits } from '../domain/tiers';
import type { Places } from '../ports/places';

export interface WorkPlaceDeps {
  readonly places: Places;
  readonly tiers: Tiers;
}

/** A turn in its session. */
export interface Work {
  readonly userId: string;
  readonly sessionId: string;
  readonly turnId: string;
}

/**
 * Takes a place for the session and one for the turn, as every message of a user does: what nobody sends through the API has no more room than the rest.
 * @throws DomainError `limit/sessions`, `limit/turns`; `dependency/unavailable` when nobody counts.
 */
export async function takeWorkPlaces({ places, tiers }: WorkPlaceDeps, { tenantId, tier }: ServedTenant, { userId, sessionId, turnId }: Work): Promise<void> {
  for (const [thing, id] of [['sessions', sessionId], ['turns', turnId]] as const) {
    const limits = placeLimits(definitionOf(tiers, tier), thing);
    const { taken, bound } = await places.take({ tenantId, thing, userId, id }, limits, placeHeldMs[thing]);
    if (!taken) throw new DomainError(`limit/${thing}`, noPlace(thing, limits[bound], bound), { retryAfterSeconds: 15 });
  }
}

/** Gives both back: the session's too, in which nobody speaks any more. Never throws. */
export async function leaveWorkPlaces({ places }: Pick<WorkPlaceDeps, 'places'>, tenantId: string, { userId, sessionId, turnId }: Work): Promise<void> {
  await Promise.all([places.leave({ tenantId, thing: 'turns', userId, id: turnId }), places.leave({ tenantId, thing: 'sessions', userId, id: sessionId })]);
}
