import { continueAsNew } from '@temporalio/workflow';
import type { TenantPage } from '../activities/maintenance/reports';
import type { PlatformJobRequest } from '../contracts/maintenance';
import type { InspectionProgress } from '../domain/maintenance-report';
import { Inspection } from './inspection';
import { checkExpiry, destroyOrphan, inspectOrphan, inspectPlatform, inspectTenant, listAuditedTenants, listBackupOwners, listOrphans, listTenants, signAuditChain } from './maintenance-activities';

/** What a run of the platform's jobs is asked, and what it carries over to the next when there are many tenants. */
export interface PlatformJobInput extends PlatformJobRequest {
  readonly progress?: InspectionProgress;
}

/** The tenants a run is asked for, or a list of all, page by page. */
const these = (tenantIds: readonly string[] | undefined, list: (from: { cursor: string | undefined }) => Promise<TenantPage>) => (cursor: string | undefined) => (tenantIds ? Promise.resolve({ tenantIds }) : list({ cursor }));

/** Compares every tenant's registry entry with what is there. */
export async function driftDetection(input: PlatformJobInput = {}) {
  const { repair = false, tenantIds, progress } = input;
  const inspection = new Inspection(progress);
  if (!progress) await inspection.one('the platform', () => inspectPlatform({ repair }));
  const isDone = await inspection.all(these(tenantIds, listTenants), (tenantId) => inspectTenant({ tenantId, repair }));
  if (!isDone) await continueAsNew<typeof driftDetection>({ ...input, progress: inspection.progress });
  return inspection.publish('drift');
}

/** Looks for resources of no tenant; deletes those of the ids it is told to, and no others. */
export async function orphanSearch({ destroy = [], tenantIds }: PlatformJobRequest = {}) {
  const inspection = new Inspection();
  const orphans = (await listOrphans()).filter((id) => !tenantIds || tenantIds.includes(id));
  await inspection.all(
    () => Promise.resolve({ tenantIds: orphans }),
    (tenantId) => (destroy.includes(tenantId) ? destroyOrphan({ tenantId }) : inspectOrphan({ tenantId })),
  );
  return inspection.publish('orphans');
}

/** Deletes backups whose time is over, of tenants that have left too, and says what is overdue, missing or about to go. */
export async function expiryCheck(input: PlatformJobInput = {}) {
  const { tenantIds, progress } = input;
  const inspection = new Inspection(progress);
  const isDone = await inspection.all(these(tenantIds, listBackupOwners), (tenantId) => checkExpiry({ tenantId }));
  if (!isDone) await continueAsNew<typeof expiryCheck>({ ...input, progress: inspection.progress });
  return inspection.publish('expiry');
}

/** Checks what was added to each chain of the audit log, and signs its head. */
export async function auditSigning(input: PlatformJobInput = {}) {
  const { tenantIds, progress } = input;
  const inspection = new Inspection(progress);
  if (!progress) await inspection.one('the platform', () => signAuditChain({}));
  const isDone = await inspection.all(these(tenantIds, listAuditedTenants), (tenantId) => signAuditChain({ tenantId }));
  if (!isDone) await continueAsNew<typeof auditSigning>({ ...input, progress: inspection.progress });
  return inspection.publish('audit');
}
