import type { OwnedResource } from '../contracts/inventory';
import type { ResourceFinder, TenantInventory } from '../ports/tenant-inventory';
import type { TenantRegistry } from '../ports/tenant-registry';

/** What the finders of all services know, as one list. */
export function createTenantInventory(finders: readonly ResourceFinder[]): TenantInventory {
  return {
    async list(tenantId, except) {
      const found = (await Promise.all(finders.map((finder) => finder.find(tenantId)))).flat();
      return found.filter(({ type, name }) => type !== 'workflow' || name !== except?.workflowId).sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
    },
    async tenantIds() {
      const ids = await Promise.all(finders.map((finder) => finder.tenantIds()));
      return [...new Set(ids.flat())].sort();
    },
  };
}

const keyOf = ({ service, type, name }: OwnedResource): string => `${service} ${type} ${name}`;

/** The registry's own entries. A tombstone belongs to nobody any more. */
export const registryFinder = (registry: TenantRegistry): ResourceFinder => ({
  async find(tenantId) {
    const record = await registry.get(tenantId);
    return record ? [{ service: 'registry', type: 'tenant', name: tenantId, state: record.status }] : [];
  },
  async tenantIds() {
    const ids: string[] = [];
    for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
      const { tenants, nextCursor } = await registry.list(cursor === undefined ? {} : { cursor });
      ids.push(...tenants.flatMap(({ tenantId, status }) => (status === 'deleted' ? [] : [tenantId])));
      cursor = nextCursor;
    }
    return ids;
  },
});
