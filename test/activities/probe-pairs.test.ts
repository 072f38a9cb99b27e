import { pairsFor, probePairs } from '../../src/activities/maintenance/probe-pairs';
import type { TenantRecord } from '../../src/contracts/tenant';
import type { ProbePair } from '../../src/domain/isolation-probe';

const night = (day: number): string => new Date(Date.UTC(2026, 10, day, 7)).toISOString();

/** As many tenants as no test could onboard, in pages as the registry gives them; counts what is read. */
function registryOf(count: number) {
  const tenants = Array.from({ length: count }, (_, index) => ({ tenantId: `t-${index}`, status: 'active' }) as TenantRecord);
  const registry = {
    reads: 0,
    list({ limit = 100, cursor = '0' }: { limit?: number; cursor?: string } = {}) {
      registry.reads += 1;
      const end = Number(cursor) + limit;
      return Promise.resolve({ tenants: tenants.slice(Number(cursor), end), unreadable: [], ...(end < count && { nextCursor: String(end) }) });
    },
    get: (tenantId: string) => Promise.resolve(tenants.find((one) => one.tenantId === tenantId)),
  };
  return registry;
}

async function wholeNight(registry: ReturnType<typeof registryOf>, at: string): Promise<ProbePair[]> {
  const pairs: ProbePair[] = [];
  let cursor: string | undefined;
  do {
    const page = await probePairs(registry, { at, cursor });
    expect(page.pairs.length).toBeLessThanOrEqual(100);
    pairs.push(...page.pairs);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pairs;
}

it('gives each of many one other a night, all others in turn, and reads little more than the registry', async () => {
  const met = new Set<string>();
  for (let day = 1; day <= 249; day += 1) {
    const pairs = await wholeNight(registryOf(250), night(day));
    expect(pairs).toHaveLength(250);
    expect(new Set(pairs.map(({ tenantId }) => tenantId)).size).toBe(250);
    expect(new Set(pairs.map(({ otherTenantId }) => otherTenantId)).size).toBe(250);
    expect(pairs.filter(({ tenantId, otherTenantId }) => tenantId === otherTenantId)).toEqual([]);
    met.add(pairs.find(({ tenantId }) => tenantId === 't-7')?.otherTenantId ?? '');
  }
  expect(met.size).toBe(249);
  const registry = registryOf(10_000);
  await wholeNight(registry, night(1));
  // A hundred pages are read once to count them, at most once to find the others, and four times at most for the pairs.
  expect(registry.reads).toBeLessThan(601);
});

it('begins the night anew at a cursor of a release before', async () => {
  expect((await probePairs(registryOf(250), { at: night(1), cursor: 't-99' })).pairs[0]?.tenantId).toBe('t-0');
});

it('gives those it is told to one other each, and who does not work none', async () => {
  const registry = registryOf(3);
  const others = await Promise.all([1, 2].map(async (day) => (await pairsFor(registry, ['t-1', 'gone'], night(day))).pairs));
  expect(others.map((pairs) => pairs.map(({ tenantId }) => tenantId))).toEqual([['t-1'], ['t-1']]);
  expect(new Set(others.flat().map(({ otherTenantId }) => otherTenantId))).toEqual(new Set(['t-0', 't-2']));
  expect((await pairsFor(registryOf(1), ['t-0'], night(1))).pairs).toEqual([]);
});
