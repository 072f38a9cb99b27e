import type { InventoryReport, OwnedResource } from '../contracts/inventory';
import { pagesOf } from '../domain/pages';
import { presentIds } from '../domain/tenant-listing';
import type { ResourceFinder, TenantInventory } from '../ports/tenant-inventory';
import type { AuditLog } from '../ports/audit';
import type { TenantRegistry } from '../ports/tenant-registry';

/** What the finders of all services know, as one list. */
export function createTenantInventory(finders: readonly ResourceFinder[]): TenantInventory {
  const inspect: TenantInventory['inspect'] = async (tenantId, except) => {
    const looks = await Promise.all(finders.map((finder) => look(finder, tenantId, except)));
    return { resources: sorted(looks.flatMap(({ resources }) => resources)), checks: sorted(looks.flatMap(({ checks }) => checks)) };
  };
  return {
    inspect,
    list: async (tenantId, except) => (await inspect(tenantId, except)).resources,
    async tenantIds() {
      const ids = await Promise.all(finders.map((finder) => finder.tenantIds()));
      return [...new Set(ids.flat())].sort();
    },
  };
}

async function look(finder: ResourceFinder, tenantId: string, except?: { readonly workflowId: string }): Promise<InventoryReport> {
  const resources = (await finder.find(tenantId)).filter(({ type, name }) => type !== 'workflow' || name !== except?.workflowId);
  const checkedAt = new Date().toISOString();
  const unknown = resources.find((resource) => !finder.checks.some((check) => isOfKind(resource, check)));
  if (unknown) throw new Error(`The finder of ${unknown.service}:${unknown.type} does not say how it looks for it.`);
  return {
    resources,
    checks: finder.checks.map((check) => ({ ...check, checkedAt, found: resources.filter((resource) => isOfKind(resource, check)).length })),
  };
}

const isOfKind = (resource: Kind, check: Kind): boolean => resource.service === check.service && resource.type === check.type;
type Kind = Pick<OwnedResource, 'service' | 'type'>;

const sorted = <T extends Kind & { readonly name?: string }>(items: readonly T[]): T[] => items.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
const keyOf = ({ service, type, name = '' }: Kind & { readonly name?: string }): string => `${service} ${type} ${name}`;

/** The registry's own entries. A tombstone belongs to nobody any more. */
export const registryFinder = (registry: TenantRegistry): ResourceFinder => ({
  checks: [{ service: 'registry', type: 'tenant', call: 'DynamoDB GetItem on tenant-registry' }],
  async find(tenantId) {
    const record = await registry.get(tenantId);
    return record ? [{ service: 'registry', type: 'tenant', name: tenantId, state: record.status }] : [];
  },
  async tenantIds() {
    const ids: string[] = [];
    for await (const listing of pagesOf((from) => registry.list(from))) ids.push(...presentIds(listing));
    return ids;
  },
});

/** What is told of a tenant in the audit log outlives it: nobody is found by it alone. */
export const auditFinder = (audit: AuditLog): ResourceFinder => ({
  checks: [{ service: 'audit', type: 'entries', call: 'DynamoDB Query on tenure-audit' }],
  async find(tenantId) {
    const { seq } = await audit.head(tenantId);
    return seq === 0 ? [] : [{ service: 'audit', type: 'entries', name: tenantId, state: String(seq) }];
  },
  tenantIds: () => Promise.resolve([]),
});
