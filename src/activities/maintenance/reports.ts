import type { MaintenanceReport } from '../../contracts/maintenance';
import type { Reports } from '../../ports/reports';
import type { TenantRegistry } from '../../ports/tenant-registry';

export interface ReportDeps {
  readonly registry: TenantRegistry;
  readonly reports: Reports;
}

export interface TenantPage {
  readonly tenantIds: readonly string[];
  readonly nextCursor?: string;
}

const pageTenants = 100;

/** What every job of the platform begins and ends with. */
export const createReportActivities = ({ registry, reports }: ReportDeps) => ({
  /** Tenants that are not deleted, page by page; a page may be empty without being the last. */
  async listTenants({ cursor }: { cursor?: string }): Promise<TenantPage> {
    const { tenants, nextCursor } = await registry.list({ limit: pageTenants, ...(cursor !== undefined && { cursor }) });
    const tenantIds = tenants.flatMap(({ tenantId, status }) => (status === 'deleted' ? [] : [tenantId]));
    return { tenantIds, ...(nextCursor !== undefined && { nextCursor }) };
  },

  async publishReport(report: MaintenanceReport): Promise<void> {
    await reports.save(report);
  },
});
