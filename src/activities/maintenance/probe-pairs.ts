import { isScratchTenant } from '../../contracts/names';
import { nightOf, pairRows, pairsOf, type ProbePair } from '../../domain/isolation-probe';
import type { TenantRegistry } from '../../ports/tenant-registry';

export interface ProbePage {
  readonly pairs: readonly ProbePair[];
  readonly nextCursor?: string;
}

type Listing = Pick<TenantRegistry, 'list'>;

/** Where a night stands that has more tenants than one page: who tries next, and whom these try. Absent: from the first on. */
interface Places {
  readonly own?: string;
  readonly others?: string;
}

const pageTenants = 100;

/**
 * Who tries to get at whom, a page of the registry at a time. The first page of a night goes through the registry once, to count it and to find
 * where the others begin that this night's pairs are made with; each later one reads three pages at most.
 *
 * @param cursor - `nextCursor` of the page before.
 */
export async function probePairs(registry: Listing, { at, cursor }: { at: string; cursor?: string | undefined }): Promise<ProbePage> {
  const first = await rows(registry, undefined, pageTenants);
  if (first.next === undefined) return { pairs: pairsOf(first.ids.filter(works), at) };
  const places = (cursor === undefined ? undefined : parsed(cursor)) ?? { ...(await firstOther(registry, at)) };
  const own = places.own === undefined ? first : await rows(registry, places.own, pageTenants);
  const others = await around(registry, places.others, own.ids.length);
  const next = { ...(own.next !== undefined && { own: own.next }), ...(others.next !== undefined && { others: others.next }) };
  return { pairs: pairRows(own.ids, others.ids).filter(({ tenantId, otherTenantId }) => works(tenantId) && works(otherTenantId)), ...(own.next !== undefined && { nextCursor: JSON.stringify(next) }) };
}

/** These alone, each with one of the first page, another one each night. */
export async function pairsFor(registry: Pick<TenantRegistry, 'get' | 'list'>, tenantIds: readonly string[], at: string): Promise<ProbePage> {
  const candidates = (await rows(registry, undefined, pageTenants)).ids.filter(works).sort();
  const pairs: ProbePair[] = [];
  for (const tenantId of tenantIds) {
    if ((await registry.get(tenantId))?.status !== 'active') continue;
    const others = candidates.filter((one) => one !== tenantId);
    const otherTenantId = others[nightOf(at) % Math.max(1, others.length)];
    if (otherTenantId !== undefined) pairs.push({ tenantId, otherTenantId });
  }
  return { pairs };
}

const works = (tenantId: string): boolean => !isScratchTenant(tenantId);

async function rows(registry: Listing, cursor: string | undefined, limit: number): Promise<{ ids: readonly string[]; next: string | undefined }> {
  const { tenants, nextCursor } = await registry.list({ limit, status: 'active', cursor });
  return { ids: tenants.map(({ tenantId }) => tenantId), next: nextCursor };
}

/** So many, from a place on and over the end. */
async function around(registry: Listing, from: string | undefined, count: number): Promise<{ ids: readonly string[]; next: string | undefined }> {
  const upToTheEnd = await rows(registry, from, count);
  if (upToTheEnd.ids.length >= count) return upToTheEnd;
  const anew = await rows(registry, undefined, count - upToTheEnd.ids.length);
  return { ids: [...upToTheEnd.ids, ...anew.ids], next: anew.next };
}

async function firstOther(registry: Listing, at: string): Promise<Places> {
  let count = 0;
  let cursor: string | undefined;
  do {
    const page = await rows(registry, cursor, pageTenants);
    count += page.ids.length;
    cursor = page.next;
  } while (cursor !== undefined);
  for (let left = 1 + (nightOf(at) % (count - 1)); left > 0; left -= pageTenants) cursor = (await rows(registry, cursor, Math.min(left, pageTenants))).next;
  return cursor === undefined ? {} : { others: cursor };
}

/** Undefined: one of a release before, which counted otherwise. Then the night begins anew. */
function parsed(cursor: string): Places | undefined {
  try {
    return JSON.parse(cursor) as Places;
  } catch {
    return undefined;
  }
}
