import { Context } from '@temporalio/activity';
import type { MaintenanceReport } from '../../contracts/maintenance';
import { auditChainOf, auditOnce } from '../../contracts/names';
import { repairsIn } from '../../domain/audit';
import { presentIds } from '../../domain/tenant-listing';
import type { AuditLog } from '../../ports/audit';
import type { Reports } from '../../ports/reports';
import type { TenantRegistry } from '../../ports/tenant-registry';

export interface ReportDeps {
  readonly registry: TenantRegistry;
  readonly reports: Reports;
  readonly audit: AuditLog;
}

export interface TenantPage {
  readonly tenantIds: readonly string[];
  readonly nextCursor?: string | undefined;
}

const pageTenants = 100;

/** What every job of the platform begins and ends with. */
export const createReportActivities = ({ registry, reports, audit }: ReportDeps) => ({
  /** Tenants that are not deleted, as far as can be told, page by page; a page may be empty without being the last. */
  async listTenants({ cursor }: { cursor?: string | undefined }): Promise<TenantPage> {
    const { nextCursor, ...listing } = await registry.list({ limit: pageTenants, cursor });
    return { tenantIds: presentIds(listing), nextCursor };
  },

  /** Tells the audit log what was changed, and keeps the report. */
  async publishReport(report: MaintenanceReport): Promise<void> {
    const { name, startedAt, finishedAt: at, findings } = report;
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    for (const [tenantId, events] of repairsIn(findings, { job: name, at, workflowId })) await audit.append(auditChainOf(tenantId), events, auditOnce.findings(name, startedAt, tenantId));
    await reports.save(report);
  },
});
