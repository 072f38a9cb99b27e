import type { BackedUpTenant, BackupReason, ContentComparison } from '../../contracts/backup';
import { DomainError } from '../../contracts/errors';
import type { Backups } from '../../ports/backups';
import type { Restores, RestoreSource } from '../../ports/restores';
import { waiting } from './waiting';

interface BackupInput {
  readonly tenantId: string;
  readonly backupId: string;
}

export interface TakeBackupInput extends BackupInput {
  /** Default: `farewell`, of a tenant that leaves. */
  readonly reason?: BackupReason;
}

export interface VerifyBackupInput extends BackupInput {
  readonly operationId?: string;
  /** Whether the tenant stands still, and must hold the same. Default: yes. */
  readonly againstTenant?: boolean;
}

export interface RestoreInput extends RestoreSource {
  /** The tenant restored into. */
  readonly tenantId: string;
  readonly operationId: string;
}

export interface BackupActivityDeps {
  readonly backups: Backups;
  readonly restores: Restores;
}

/** What a tenant takes along, and what brings it back. */
export const createBackupActivities = ({ backups, restores }: BackupActivityDeps) => ({
  /** Goes on where an earlier attempt was killed. */
  async takeBackup({ tenantId, backupId, reason = 'farewell' }: TakeBackupInput): Promise<void> {
    await backups.take(tenantId, backupId, reason, waiting());
  },

  /** @throws DomainError `backup/not-found`, `backup/incomplete` (not retried): nothing is deleted after it. */
  async verifyBackup({ tenantId, backupId, operationId = backupId, againstTenant = true }: VerifyBackupInput): Promise<void> {
    await backups.verify(tenantId, backupId, { operationId, againstTenant }, waiting());
  },

  /** Deletes what the retention rule does not keep. @returns the ids. */
  async pruneBackups({ tenantId }: { tenantId: string }): Promise<{ deleted: string[] }> {
    return { deleted: await backups.prune(tenantId) };
  },

  /** @throws DomainError `backup/not-found`, `backup/incomplete` (neither retried). */
  async findBackup({ tenantId, backupId }: BackupInput): Promise<{ createdAt: string; tenant: BackedUpTenant | undefined }> {
    const backup = await backups.get(tenantId, backupId);
    if (!backup) throw new DomainError('backup/not-found', `There is no backup ${backupId} of ${tenantId}.`);
    return { createdAt: backup.createdAt, tenant: backup.tenant };
  },

  /** Makes the backup's users; nobody is invited. */
  async restoreUsers(input: RestoreInput): Promise<void> {
    await restores.users(input.tenantId, sourceOf(input), waiting());
  },

  /** Replaces what the tenant holds. Goes on where an earlier attempt was killed. */
  async restoreData(input: RestoreInput): Promise<void> {
    await restores.data(input.tenantId, input.operationId, sourceOf(input), waiting());
  },

  /** @throws DomainError `backup/incomplete` (not retried) that says what differs. */
  async compareWithBackup(input: RestoreInput): Promise<ContentComparison[]> {
    return restores.compare(input.tenantId, sourceOf(input), waiting());
  },
});

const sourceOf = ({ sourceTenantId, backupId, until }: RestoreInput): RestoreSource => ({ sourceTenantId, backupId, ...(until !== undefined && { until }) });
