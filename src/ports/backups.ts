import type { BackupManifest, BackupReason, BackupSummary, KeptBackup } from '../contracts/backup';
import type { Waiting } from './provisioning';

/** Backups of tenants in the platform's bucket, under the platform's backup key, written and read in constant memory. */
export interface Backups {
  /**
   * Takes everything the tenant has. After a kill it goes on behind the last finished part; once there, the backup stays as it is.
   * @throws DomainError `tenant/not-found`
   */
  take(tenantId: string, backupId: string, reason: BackupReason, waiting: Waiting): Promise<BackupManifest>;
  /**
   * Reads every part back, compares counts and hashes with the manifest, and marks the backup as verified.
   * @param by - the operation that does it. `againstTenant`: the tenant, which must stand still, holds the same.
   * @throws DomainError `backup/not-found`, `backup/incomplete`
   */
  verify(tenantId: string, backupId: string, by: { operationId: string; againstTenant: boolean }, waiting: Waiting): Promise<BackupManifest>;
  /** Newest first; those that are not finished, or damaged, are not in it. A tenant that has left may have some. */
  list(tenantId: string): Promise<BackupSummary[]>;
  /** What `list` has, and the ids of those whose manifest cannot be read, or is not their own. */
  survey(tenantId: string): Promise<{ readonly complete: readonly BackupSummary[]; readonly damaged: readonly string[] }>;
  /** Whatever lies in the bucket of the tenant's backups, unfinished and damaged ones included. */
  kept(tenantId: string): Promise<KeptBackup[]>;
  /** @throws DomainError `backup/incomplete` when its manifest is not its own. */
  get(tenantId: string, backupId: string): Promise<BackupSummary | undefined>;
  /** Removes all of it, all versions; fine when there is none. */
  delete(tenantId: string, backupId: string): Promise<void>;
  /**
   * Deletes what the retention rule does not keep, unfinished ones that are a week old included. Damaged ones stay: somebody should look at them.
   * @param tenant - `hasLeft`: nothing but its backups is left of it; all of them go, in time.
   * @returns the ids.
   */
  prune(tenantId: string, tenant?: { readonly hasLeft: boolean }): Promise<string[]>;
  /** Who has backups, finished or not, tenants that have left included. Sorted. */
  tenantIds(): Promise<string[]>;
}
