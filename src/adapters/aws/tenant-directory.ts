import { LRUCache } from 'lru-cache';
import { DomainError } from '../../contracts/errors';
import type { ServedTenant, TenantRecord } from '../../contracts/tenant';
import type { TenantDirectory, TenantRegistry } from '../../ports/tenant-registry';

/**
 * The registry behind a cache per process: one read per tenant and `cacheMs`, however many ask at once. That a tenant is
 * not there is never cached, so that a new one is served at once.
 */
export function createTenantDirectory({ registry, cacheMs }: { registry: TenantRegistry; cacheMs: number }): TenantDirectory {
  const cache = new LRUCache<string, TenantRecord>({
    max: 10_000,
    // 0 would mean forever.
    ttl: Math.max(1, cacheMs),
    fetchMethod: (tenantId) => registry.get(tenantId),
  });

  async function built(tenantId: string): Promise<ServedTenant> {
    const record = await cache.fetch(tenantId, { forceRefresh: cacheMs === 0 });
    if (!record || record.status === 'deleted') throw new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);
    const { infrastructure, memoryId } = record;
    if (infrastructure && memoryId) return { ...record, infrastructure, memoryId };
    // It may be complete by now: what lacks a part is read anew next time.
    cache.delete(tenantId);
    throw new DomainError('tenant/not-active', `Tenant ${tenantId} is ${record.status}.`);
  }

  return {
    built,
    async served(tenantId) {
      const tenant = await built(tenantId);
      if (tenant.status === 'active') return tenant;
      if (tenant.status === 'offboarding') throw new DomainError('tenant/leaving', leavingWords(tenant));
      if (tenant.status === 'suspended') throw new DomainError('tenant/suspended', suspendedWords(tenant));
      throw new DomainError('tenant/not-active', `Tenant ${tenantId} is ${tenant.status}.`);
    },
  };
}

const suspendedWords = ({ tenantId }: TenantRecord): string =>
  `Tenant ${tenantId} is suspended: it takes no messages and answers no requests. Nothing is lost; it goes on once an operator resumes it.`;

const leavingWords = ({ tenantId, keepUntil }: TenantRecord): string =>
  `Tenant ${tenantId} is being offboarded: it takes no new messages and answers no requests. ` +
  (keepUntil === undefined ? 'Operators can call that off while it is prepared.' : `Operators can call that off until ${keepUntil}.`);
