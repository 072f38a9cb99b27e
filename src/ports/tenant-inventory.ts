import type { InventoryReport, OwnedResource, ResourceCheck } from '../contracts/inventory';

/** What one service knows of tenants. It is asked by names and tags, so that it finds what no registry remembers. */
export interface ResourceFinder {
  /** Every kind it can find, and how it looks. */
  readonly checks: readonly ResourceCheck[];
  /** What this tenant owns there, all of it or an error. @throws DomainError `dependency/unavailable` */
  find(tenantId: string): Promise<OwnedResource[]>;
  /** Ids of all tenants that anything there belongs to. */
  tenantIds(): Promise<string[]>;
}

/** All that tenants own, in all services. */
export interface TenantInventory {
  /**
   * Everything that bears the tenant's name or tag, sorted; its registry entry and a key pending deletion included.
   * @param except - id of the workflow that asks, which is no leftover of its own.
   */
  list(tenantId: string, except?: { readonly workflowId: string }): Promise<OwnedResource[]>;
  /** The same, with how and when each kind was looked for: proof of what is not there. */
  inspect(tenantId: string, except?: { readonly workflowId: string }): Promise<InventoryReport>;
  /** Every tenant id that any service knows of, sorted: half-built and forgotten ones included, not those whose key alone waits for its deletion. */
  tenantIds(): Promise<string[]>;
}
