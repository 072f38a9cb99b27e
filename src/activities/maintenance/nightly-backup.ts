import { leftOutOfBackup } from '../../domain/maintenance';
import type { AuditLog } from '../../ports/audit';
import type { Backups } from '../../ports/backups';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { tellChanges } from './audited';

export interface NightlyBackupDeps {
  readonly registry: TenantRegistry;
  readonly backups: Backups;
  readonly audit: AuditLog;
}

/** What surrounds the operation `backup` each night. */
export const createNightlyBackupActivities = ({ registry, backups, audit }: NightlyBackupDeps) => ({
  /** Why the tenant is left out tonight, in words; empty: it is backed up. */
  async whyNoBackup({ tenantId }: { tenantId: string }): Promise<{ why?: string }> {
    const why = leftOutOfBackup((await registry.get(tenantId))?.status);
    return why === undefined ? {} : { why };
  },

  /** Deletes what the retention rule does not keep. @returns the ids. */
  async pruneBackups({ tenantId }: { tenantId: string }): Promise<{ deleted: string[] }> {
    const deleted = await backups.prune(tenantId);
    await tellChanges(audit, { tenantId, job: 'backup', objects: deleted.map((backupId) => `tenants/${tenantId}/backups/${backupId}`) });
    return { deleted };
  },
});
