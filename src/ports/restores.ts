import type { ContentComparison } from '../contracts/backup';
import type { Waiting } from './provisioning';

/** Which backup goes into which tenant. */
export interface RestoreSource {
  readonly sourceTenantId: string;
  readonly backupId: string;
  /** ISO: what is younger is left out, session by session. Absent: all of it. */
  readonly until?: string;
}

/**
 * Puts a backup into a tenant that stands and that nobody works in. Every verb may be repeated. All of them read the backup
 * in constant memory, and throw DomainError `backup/not-found` or `backup/incomplete`.
 */
export interface Restores {
  /** Makes the backup's users in the tenant's pool; those who are there stay who they are. Nobody is sent a mail. */
  users(tenantId: string, source: RestoreSource, waiting: Waiting): Promise<void>;
  /**
   * Takes back what {@link users} did: those whom `source` has brought and `before`, the tenant's own backup, does not know are
   * deleted; the others are in the groups they were in.
   */
  takeBackUsers(tenantId: string, source: RestoreSource, before: RestoreSource, waiting: Waiting): Promise<void>;
  /**
   * Replaces what the tenant has by what the backup holds, sealed under the tenant's own key; user ids become those of the
   * tenant's pool. After a kill it goes on behind the last part.
   */
  data(tenantId: string, operationId: string, source: RestoreSource, waiting: Waiting): Promise<void>;
  /** Removes what a restore that does not go on has noted for going on; fine when there is nothing. */
  forget(operationId: string, source: RestoreSource): Promise<void>;
  /**
   * Reads what the tenant holds now, and holds it against the backup.
   * @throws DomainError `backup/incomplete` that says what differs.
   */
  compare(tenantId: string, source: RestoreSource, waiting: Waiting): Promise<ContentComparison[]>;
}
