import { codeOf, publicFailure } from '../../contracts/errors';
import type { Finding } from '../../contracts/maintenance';
import { auditChainOf, isScratchTenant, platformOwner } from '../../contracts/names';
import { listedIds } from '../../domain/tenant-listing';
import type { AuditLog } from '../../ports/audit';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { TenantPage } from './reports';

export interface AuditSigningDeps {
  readonly audit: AuditLog;
  readonly registry: TenantRegistry;
}

const pageTenants = 100;

export const createAuditSigningActivities = ({ audit, registry }: AuditSigningDeps) => ({
  /** Every tenant the registry knows, those that have left too, page by page. */
  async listAuditedTenants({ cursor }: { cursor?: string | undefined }): Promise<TenantPage> {
    const { nextCursor, ...listing } = await registry.list({ limit: pageTenants, cursor });
    const tenantIds = listedIds(listing).filter((tenantId) => !isScratchTenant(tenantId));
    return { tenantIds, nextCursor };
  },

  /** Signs the head of a chain. One that does not hold together is not signed, and is a finding. @param tenantId - the platform's own when absent. */
  async signAuditChain({ tenantId }: { tenantId?: string }): Promise<Finding[]> {
    try {
      await audit.sign(auditChainOf(tenantId));
      return [];
    } catch (error) {
      if (codeOf(error) !== 'audit/broken') throw error;
      const { message } = publicFailure(error, 'audit/broken');
      return [{ kind: 'audit/broken', ...(tenantId !== undefined && { tenantId }), subject: `audit:entries ${tenantId ?? platformOwner}`, message, repair: 'none' }];
    }
  },
});
