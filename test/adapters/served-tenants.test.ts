import { announcedRegistry } from '../../src/adapters/announced-registry';
import type { Valkey } from '../../src/adapters/valkey/connection';
import { createTenantChanges } from '../../src/adapters/valkey/tenant-changes';
import type { TenantChanges } from '../../src/ports/tenant-changes';
import type { TenantRegistry } from '../../src/ports/tenant-registry';
import { ServedTenants } from '../../src/workers/served-tenants';
import { config, newOperationId, newTenantId, registry as table, standingPlatform } from './aws/tenants';
import { connected, ownValkey, quiet, untilAnswers } from './valkey/own-valkey';

let server: Awaited<ReturnType<typeof ownValkey>>;
let valkey: Valkey;
let changes: TenantChanges;
let registry: TenantRegistry;
let reads: number;

beforeAll(standingPlatform);
beforeEach(async () => {
  server = await ownValkey();
  valkey = await connected(server.url);
  changes = createTenantChanges(valkey);
  reads = 0;
  const counted: TenantRegistry = {
    ...table,
    list: (page) => {
      reads += page?.cursor === undefined ? 1 : 0;
      return table.list(page);
    },
  };
  registry = announcedRegistry(counted, changes);
});
afterEach(async () => {
  await valkey.close();
  await server.end();
});

const longMs = 600_000;
const watching = (mostAgeMs = longMs) => new ServedTenants({ registry, changes, tiers: config.tiers, mostAgeMs, logger: quiet });

async function reserved() {
  const tenantId = newTenantId();
  return registry.reserve({ tenantId, operationId: newOperationId(tenantId), displayName: 'Acme', tier: 'standard' });
}

it('are read again when one was changed, and not before', async () => {
  const { tenantId, operationId } = await reserved();
  const tenants = watching();
  expect((await tenants.look()).get(tenantId)).toBe(config.tiers['standard']?.activitySlots);
  await tenants.look();
  expect(reads).toBe(1);
  await registry.update(tenantId, { tier: 'premium' });
  expect((await tenants.look()).get(tenantId)).toBe(config.tiers['premium']?.activitySlots);
  await registry.release(tenantId, operationId);
  expect((await tenants.look()).has(tenantId)).toBe(false);
  await tenants.look();
  expect(reads).toBe(3);
});

it('are read again when a change was tried whose answer says no: it may have been made', async () => {
  const there = await reserved();
  const tenants = watching();
  await tenants.look();
  await expect(registry.reserve({ ...there, operationId: newOperationId(there.tenantId) })).rejects.toMatchObject({ code: 'tenant/exists' });
  await tenants.look();
  expect(reads).toBe(2);
});

it('are read each time while nobody can tell, and when it was forgotten', async () => {
  const tenants = watching();
  for (let look = 0; look < 2; look += 1) await tenants.look();
  expect(reads).toBe(2);
  await reserved();
  for (let look = 0; look < 2; look += 1) await tenants.look();
  expect(reads).toBe(3);
  await server.server.stop('SIGKILL');
  for (let look = 0; look < 2; look += 1) await tenants.look();
  expect(reads).toBe(5);
  // The change is made, although it cannot be announced.
  const { tenantId } = await reserved();
  await server.server.start();
  await untilAnswers(valkey);
  expect((await tenants.look()).has(tenantId)).toBe(true);
});

it('are read after a while in any case', async () => {
  await changes.announce();
  const tenants = watching(1);
  await tenants.look();
  while (reads === 1) await tenants.look();
});
