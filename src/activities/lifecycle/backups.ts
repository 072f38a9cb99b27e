import type { BackedUpTenant, BackupReason, ContentComparison } from '../../contracts/backup';
import type { TenantKey } from '../../contracts/certificate';
import { DomainError } from '../../contracts/errors';
import type { Backups } from '../../ports/backups';
import type { Restores, RestoreSource } from '../../ports/restores';
import type { TenantData, TenantTraces } from '../../ports/provisioning';
import type { Sessions } from '../../ports/sessions';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { pauses, waiting } from './waiting';

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
  readonly registry: TenantRegistry;
  readonly sessionWorkflows: Sessions;
  readonly traces: TenantTraces;
  readonly data: TenantData;
}

export type RestoreMode = 'new' | 'in-place';

/** Temporal's list lags behind: nothing is left when two looks found nothing. */
const quietLooks = 2;

/** What a tenant takes along, and what brings it back. */
export const createBackupActivities = ({ backups, restores, registry, sessionWorkflows, traces, data }: BackupActivityDeps) => ({
  /** Goes on where an earlier attempt was killed. */
  async takeBackup({ tenantId, backupId, reason = 'farewell' }: TakeBackupInput): Promise<void> {
    await backups.take(tenantId, backupId, reason, waiting());
  },

  /** @throws DomainError `backup/not-found`, `backup/incomplete` (not retried): nothing is deleted after it. */
  async verifyBackup({ tenantId, backupId, operationId = backupId, againstTenant = true }: VerifyBackupInput): Promise<void> {
    await backups.verify(tenantId, backupId, { operationId, againstTenant }, waiting());
  },

  /**
   * That what the tenant holds cannot be read: its key is disabled, about to be deleted, or gone.
   * @throws DomainError `backup/possible` (not retried): the key works.
   */
  async checkKeyIsLost({ tenantId }: { tenantId: string }): Promise<TenantKey> {
    const key = await data.key(tenantId);
    if (key.keyState === 'Enabled') throw new DomainError('backup/possible', `The key of ${tenantId} works, so a backup can be taken: offboard it with one.`);
    return key;
  },

  /** Takes back what a cancelled or failed operation wrote. */
  async deleteBackup({ tenantId, backupId }: BackupInput): Promise<void> {
    await backups.delete(tenantId, backupId);
  },

  /**
   * Whether a restore makes the tenant, or replaces what a suspended one has.
   * @throws DomainError `restore/tenant-active`, `tenant/exists` (it has left), `tenant/busy`
   */
  async restoreMode({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<RestoreMode> {
    const tenant = await registry.get(tenantId);
    if (!tenant || (tenant.status === 'provisioning' && tenant.operationId === operationId)) return 'new';
    if (tenant.status === 'suspended') return 'in-place';
    if (tenant.status === 'active') throw new DomainError('restore/tenant-active', `Tenant ${tenantId} is active: suspend it, or restore into a new tenant id.`);
    if (tenant.status === 'deleted') throw new DomainError('tenant/exists', `Tenant ${tenantId} has left, and its id is kept from reuse: restore into another id.`);
    throw new DomainError('tenant/busy', `Tenant ${tenantId} is ${tenant.status}, held by operation ${tenant.operationId}.`);
  },

  /** Session workflows know the log as it was: they go, with what Valkey holds of it. */
  async forgetSessions({ tenantId }: { tenantId: string }): Promise<void> {
    const pause = pauses();
    for (let quiet = 0; quiet < quietLooks; ) {
      quiet = (await sessionWorkflows.forgetAll(tenantId)) === 0 ? quiet + 1 : 0;
      await pause();
    }
    await traces.erase(tenantId);
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

  /** Takes back what {@link restoreUsers} did in place. @param before - the backup of what the tenant had. */
  async takeBackUsers({ before, ...input }: RestoreInput & { before: RestoreInput }): Promise<void> {
    await restores.takeBackUsers(input.tenantId, sourceOf(input), sourceOf(before), waiting());
  },

  /** Removes what a restore that is taken back had noted, to go on from. */
  async forgetRestore(input: RestoreInput): Promise<void> {
    await restores.forget(input.operationId, sourceOf(input));
  },

  /** Replaces what the tenant holds. Goes on where an earlier attempt was killed. */
  async restoreData(input: RestoreInput): Promise<void> {
    await restores.data(input.tenantId, input.operationId, sourceOf(input), waiting());
    await registry.update(input.tenantId, { restoredAt: new Date().toISOString() });
  },

  /** @throws DomainError `backup/incomplete` (not retried) that says what differs. */
  async compareWithBackup(input: RestoreInput): Promise<ContentComparison[]> {
    return restores.compare(input.tenantId, sourceOf(input), waiting());
  },
});

const sourceOf = ({ sourceTenantId, backupId, until }: RestoreInput): RestoreSource => ({ sourceTenantId, backupId, ...(until !== undefined && { until }) });
