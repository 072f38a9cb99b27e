import { DomainError } from '../contracts/errors';
import type { TenantRecord } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf, noPlace, placeHeldMs, placeLimits } from '../domain/tiers';
import type { Places, Thing } from '../ports/places';
import { LimitReached } from './rate-limit';

export interface PlaceDeps {
  readonly places: Places;
  readonly tiers: Tiers;
}

interface Holder {
  readonly tenant: TenantRecord;
  readonly userId: string;
  readonly id: string;
}

/** When to come back if there is none, in seconds. */
const retryAfter: Readonly<Record<Thing, number>> = { streams: 5, turns: 2, sessions: 30 };

/** What lasts says this often that it does. */
const renewEveryMs = 10_000;

/**
 * Takes a place, or refuses and says how many there are.
 * @throws DomainError `limit/streams`, `limit/turns`, `limit/sessions`; `dependency/unavailable` when nobody counts.
 */
export async function takePlace({ places, tiers }: PlaceDeps, thing: Thing, { tenant, userId, id }: Holder): Promise<void> {
  const limits = placeLimits(definitionOf(tiers, tenant.tier), thing);
  const retryAfterSeconds = retryAfter[thing];
  const { taken, bound, remaining } = await places.take({ tenantId: tenant.tenantId, thing, userId, id }, limits, placeHeldMs[thing]);
  if (taken) return;
  const limit = limits[bound];
  throw new LimitReached(`limit/${thing}`, noPlace(thing, limit, bound), retryAfterSeconds, {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(retryAfterSeconds),
    'RateLimit-Policy': `${limit};comment="${thing} at once"`,
  });
}

/** Takes a place and holds it until it is left. @throws as {@link takePlace} */
export async function holdPlace(deps: PlaceDeps, thing: Thing, holder: Holder): Promise<{ leave(): Promise<void> }> {
  const place = { tenantId: holder.tenant.tenantId, thing, userId: holder.userId, id: holder.id };
  await takePlace(deps, thing, holder);
  // By the clock, and not by what is read: a reader that does not read holds its place as well.
  const renewal = setInterval(() => void deps.places.keep(place, placeHeldMs[thing]), renewEveryMs).unref();
  return {
    async leave() {
      clearInterval(renewal);
      await deps.places.leave(place);
    },
  };
}

/** @throws DomainError `message/too-long` */
export function checkMessage(tiers: Tiers, tenant: TenantRecord, text: string): void {
  const { messageCharacters } = definitionOf(tiers, tenant.tier);
  if (text.length > messageCharacters) throw new DomainError('message/too-long', `A message may have ${messageCharacters} characters; this one has ${text.length}.`);
}
