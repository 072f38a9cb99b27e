import { DomainError } from '../contracts/errors';
import type { TenantRecord } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf, shareOf } from '../domain/tiers';
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

/** How long a place is held that nobody renews, and when to come back if there is none. */
const held: Readonly<Record<Thing, { readonly forMs: number; readonly retryAfterSeconds: number; readonly words: string }>> = {
  streams: { forMs: 30_000, retryAfterSeconds: 5, words: 'streams open at once' },
  // One that lasts longer is not counted any more: so is one whose end got lost.
  turns: { forMs: 900_000, retryAfterSeconds: 2, words: 'turns under way at once' },
  sessions: { forMs: 900_000, retryAfterSeconds: 30, words: 'sessions at work within a quarter of an hour' },
};

/** What lasts says this often that it does. */
const renewEveryMs = 10_000;

/**
 * Takes a place, or refuses and says how many there are.
 * @throws DomainError `limit/streams`, `limit/turns`, `limit/sessions`; `dependency/unavailable` when nobody counts.
 */
export async function takePlace({ places, tiers }: PlaceDeps, thing: Thing, { tenant, userId, id }: Holder): Promise<void> {
  const tier = definitionOf(tiers, tenant.tier);
  const limits = { all: tier[thing], share: shareOf(tier, tier[thing]) };
  const { forMs, retryAfterSeconds, words } = held[thing];
  const { taken, bound, remaining } = await places.take({ tenantId: tenant.tenantId, thing, userId, id }, limits, forMs);
  if (taken) return;
  const limit = limits[bound];
  throw new LimitReached(`limit/${thing}`, `${bound === 'all' ? 'This tenant' : 'One user'} may have ${limit} ${words}.`, retryAfterSeconds, {
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
  const renewal = setInterval(() => void deps.places.keep(place, held[thing].forMs), renewEveryMs).unref();
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
