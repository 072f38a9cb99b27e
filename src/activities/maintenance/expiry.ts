import type { Finding } from '../../contracts/maintenance';
import { isWorking, type TenantStatus } from '../../contracts/tenant';
import { type Departure, expiryOf } from '../../domain/expiry';
import { pagesOf } from '../../domain/pages';
import { listedIds } from '../../domain/tenant-listing';
import type { Backups } from '../../ports/backups';
import type { Certificates } from '../../ports/certificates';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { TenantPage } from './reports';

export interface ExpiryDeps {
  readonly registry: TenantRegistry;
  readonly backups: Backups;
  readonly certificates: Certificates;
}

const pageTenants = 100;

/** Backups and certificates, by their age. */
export const createExpiryActivities = (deps: ExpiryDeps) => ({
  /** Every tenant the registry knows, and every one of which there are backups, by id. The cursor is the last id of the page before. */
  async listBackupOwners({ cursor = '' }: { cursor?: string | undefined }): Promise<TenantPage> {
    const ids = [...new Set([...(await deps.backups.tenantIds()), ...(await registered(deps.registry))])].sort().filter((id) => id > cursor);
    const tenantIds = ids.slice(0, pageTenants);
    const last = tenantIds.at(-1);
    return { tenantIds, ...(ids.length > pageTenants && last !== undefined && { nextCursor: last }) };
  },

  /**
   * What is damaged, overdue, missing or about to go of a tenant's backups and certificate; deletes what its time is over. Nothing is
   * deleted of a tenant that changes, and of one nobody can prove has left.
   */
  async checkExpiry({ tenantId }: { tenantId: string }): Promise<Finding[]> {
    const tenant = await deps.registry.get(tenantId);
    const departure = await departureOf(deps, tenantId, tenant?.status);
    const deleted = departure === 'changing' || departure === 'unproven' ? [] : await deps.backups.prune(tenantId, { hasLeft: departure === 'left' });
    const { complete: backups, damaged } = await deps.backups.survey(tenantId);
    const found = expiryOf({ tenantId, ...(tenant && { tenant }), departure, backups, damaged, nowMs: Date.now() });
    return [
      ...deleted.map((subject): Finding => ({ kind: 'backup/expired', tenantId, subject, message: 'Its time was over: it is deleted.', repair: 'done' })),
      ...found.map((finding): Finding => ({ ...finding, tenantId, repair: 'none' })),
    ];
  },
});

async function departureOf({ certificates }: ExpiryDeps, tenantId: string, status: TenantStatus | undefined): Promise<Departure> {
  if (isWorking(status)) return 'stays';
  if (status !== undefined && status !== 'deleted') return 'changing';
  return (await certificates.find(tenantId)) ? 'left' : 'unproven';
}

async function registered(registry: TenantRegistry): Promise<string[]> {
  const ids: string[] = [];
  for await (const listing of pagesOf((from) => registry.list({ limit: pageTenants, ...from }))) ids.push(...listedIds(listing));
  return ids;
}
