import type { BackupManifest } from '../contracts/backup';
import type { Waiting } from './provisioning';

/** Writes parts of JSON Lines under the platform's backup key, streamed in constant memory. */
export interface Backups {
  /** Takes everything the tenant has; repeating it overwrites the same backup id. */
  take(tenantId: string, backupId: string, waiting: Waiting): Promise<BackupManifest>;
  /** Reads every part back, and compares counts and hashes with the manifest. @throws DomainError `backup/incomplete` */
  verify(tenantId: string, backupId: string, waiting: Waiting): Promise<BackupManifest>;
}
