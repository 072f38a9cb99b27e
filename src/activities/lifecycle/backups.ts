import type { Backups } from '../../ports/backups';
import { waiting } from './waiting';

interface BackupInput {
  readonly tenantId: string;
  readonly backupId: string;
}

/** What a tenant takes along. */
export const createBackupActivities = ({ backups }: { backups: Backups }) => ({
  async takeBackup({ tenantId, backupId }: BackupInput): Promise<void> {
    await backups.take(tenantId, backupId, waiting());
  },

  /** @throws DomainError `backup/incomplete` (not retried): nothing is deleted after it. */
  async verifyBackup({ tenantId, backupId }: BackupInput): Promise<void> {
    await backups.verify(tenantId, backupId, waiting());
  },
});
