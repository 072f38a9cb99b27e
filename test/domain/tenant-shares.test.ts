import fc from 'fast-check';
import { tenantsServedBy } from '../../src/domain/tenant-shares';

const named = (what: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${what}-${index}`);

type Shares = ReadonlyMap<string, ReadonlySet<string>>;

/** Of each process, as all of them reckon it. */
const sharesOf = (workerIds: readonly string[], tenantIds: readonly string[], tenantsPerWorker: number): Shares =>
  new Map(workerIds.map((workerId) => [workerId, new Set(tenantsServedBy(workerId, { workerIds, tenantIds, tenantsPerWorker }))]));

const served = (shares: Shares, tenantId: string): string[] => [...shares].flatMap(([workerId, share]) => (share.has(tenantId) ? [workerId] : []));

const deployments = fc.record({
  workerIds: fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 12 }),
  tenantIds: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{2,10}$/), { maxLength: 60 }),
  tenantsPerWorker: fc.integer({ min: 1, max: 60 }),
});

it('is every tenant, as long as there is room for all in each process', () => {
  fc.assert(
    fc.property(deployments, ({ workerIds, tenantIds }) => {
      for (const share of sharesOf(workerIds, tenantIds, Math.max(1, tenantIds.length)).values()) expect([...share]).toEqual(tenantIds);
    }),
  );
});

it('leaves each tenant two processes where there are two', () => {
  fc.assert(
    fc.property(deployments, ({ workerIds, tenantIds, tenantsPerWorker }) => {
      const shares = sharesOf(workerIds, tenantIds, tenantsPerWorker);
      for (const tenantId of tenantIds) expect(served(shares, tenantId).length).toBeGreaterThanOrEqual(Math.min(2, workerIds.length));
    }),
  );
});

it('is the same in whatever order processes and tenants are told', () => {
  fc.assert(
    fc.property(deployments, ({ workerIds, tenantIds, tenantsPerWorker }) => {
      const shares = sharesOf(workerIds, tenantIds, tenantsPerWorker);
      const backwards = sharesOf([...workerIds].reverse(), [...tenantIds].reverse(), tenantsPerWorker);
      for (const workerId of workerIds) expect(backwards.get(workerId)).toEqual(shares.get(workerId));
    }),
  );
});

it('is about as many tenants as a process has room for, in each', () => {
  for (const [workers, tenantsPerWorker] of [
    [8, 500],
    [8, 700],
    [20, 250],
  ] as const)
    for (const share of sharesOf(named('worker', workers), named('tenant', 2_000), tenantsPerWorker).values()) {
      expect(share.size).toBeGreaterThan(tenantsPerWorker * 0.85);
      expect(share.size).toBeLessThan(tenantsPerWorker * 1.15);
    }
});

it('moves no tenant between two others when a process comes or goes', () => {
  const [tenantIds, crowded] = [named('tenant', 1_000), 1];
  const six = sharesOf(named('worker', 6), tenantIds, crowded);
  const seven = sharesOf(named('worker', 7), tenantIds, crowded);
  for (const [workerId, share] of six) for (const tenantId of seven.get(workerId) ?? []) expect(share).toContain(tenantId);
  expect(seven.get('worker-6')?.size).toBeGreaterThan(0);
});

it('hardly changes with one tenant more or less', () => {
  const tenantIds = named('tenant', 2_001);
  const [before, after] = [tenantIds.slice(0, -1), tenantIds].map((ids) => sharesOf(named('worker', 10), ids, 500)) as [Shares, Shares];
  const changed = tenantIds.slice(0, -1).filter((tenantId) => served(before, tenantId).length !== served(after, tenantId).length);
  expect(changed.length).toBeLessThan(10);
});
