import fc from 'fast-check';
import { tenantIdPattern, tenantOfResource, tenantResources } from '../../src/contracts/names';

const tenantId = fc.stringMatching(tenantIdPattern);
const kinds = Object.keys(tenantResources('x')) as (keyof ReturnType<typeof tenantResources>)[];

/** Two tenants that shared a name would share what bears it; and a leftover must lead to its tenant. */
it.each(kinds)('every tenant has a %s of its own, from whose name its id follows', (kind) => {
  fc.assert(fc.property(tenantId, (id) => tenantOfResource(kind, tenantResources(id)[kind]) === id), { numRuns: 1_000 });
});

it.each([
  ['table', 'tenant-registry'],
  ['table', 'tenant--data'],
  ['table', 'tenant-a-data'],
  ['table', 'tenant-Acme-data'],
  ['bucket', 'tenure-backups-000000000000'],
  ['userPool', 'tenure-operators-pool'],
  ['memory', 'tenant_acme_memory_2'],
] as const)('%s %s is no tenant\'s', (kind, name) => {
  expect(tenantOfResource(kind, name)).toBeUndefined();
});
