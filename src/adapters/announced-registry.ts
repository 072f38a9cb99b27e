import type { TenantChanges } from '../ports/tenant-changes';
import type { TenantRegistry } from '../ports/tenant-registry';

/** The registry, whose changes are announced: also one that failed, as it may have been made nevertheless. Who works on a tenant is no such change. */
export function announcedRegistry(registry: TenantRegistry, changes: TenantChanges): TenantRegistry {
  const announced = <Result>(change: Promise<Result>): Promise<Result> => change.finally(() => changes.announce());
  return {
    ...registry,
    reserve: (record) => announced(registry.reserve(record)),
    release: (tenantId, operationId) => announced(registry.release(tenantId, operationId)),
    transition: (input) => announced(registry.transition(input)),
    bury: (input) => announced(registry.bury(input)),
    purge: (tenantId, operationId) => announced(registry.purge(tenantId, operationId)),
    setBudgets: (tenantId, input) => announced(registry.setBudgets(tenantId, input)),
    update: (tenantId, made) => announced(registry.update(tenantId, made)),
  };
}
