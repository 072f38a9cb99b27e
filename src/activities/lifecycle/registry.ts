import type { BackedUpTenant } from '../../contracts/backup';
import type { KeyDeletion } from '../../contracts/certificate';
import { codeOf, DomainError } from '../../contracts/errors';
import { isWorking, type TenantRecord, type WorkingStatus } from '../../contracts/tenant';
import type { Operations } from '../../ports/operations';
import type { TenantRegistry } from '../../ports/tenant-registry';

interface OfOperation {
  readonly tenantId: string;
  readonly operationId: string;
}

export type ReserveInput = OfOperation & BackedUpTenant;

export interface RegistryDeps {
  readonly registry: TenantRegistry;
  readonly operations: Pick<Operations, 'isRunning'>;
  /** Age at which every process has read the registry anew. */
  readonly tenantCacheMs: number;
}

/** The tenant's entry in the registry, through its whole life. */
export const createRegistryActivities = ({ registry, operations, tenantCacheMs }: RegistryDeps) => ({
  /** @throws DomainError `tenant/exists` (not retried). */
  async reserveTenant(input: ReserveInput): Promise<void> {
    await registry.reserve(input);
  },

  /** Gives the id back; leaves a tenant alone that another operation owns. */
  async releaseTenant({ tenantId, operationId }: OfOperation): Promise<void> {
    await registry.release(tenantId, operationId);
  },

  async activateTenant({ tenantId, operationId }: OfOperation): Promise<void> {
    await registry.transition({ tenantId, from: ['provisioning'], to: 'active', operationId });
  },

  /**
   * What a tenant is before it leaves. Its own activity, so that the answer survives: once blocked, nobody knows.
   * @throws DomainError `tenant/not-found` (also once deleted), `tenant/busy`.
   */
  async statusBeforeLeaving({ tenantId }: OfOperation): Promise<WorkingStatus> {
    const tenant = await registry.get(tenantId);
    if (!tenant || tenant.status === 'deleted') throw new DomainError('tenant/not-found', `There is no tenant "${tenantId}".`);
    if (isWorking(tenant.status)) return tenant.status;
    throw new DomainError('tenant/busy', `The tenant is ${tenant.status}, held by operation ${tenant.operationId}: it can be offboarded when it is active or suspended.`);
  },

  /**
   * Refuses new work from now on.
   * @returns how long to wait until every process has heard of it.
   * @throws DomainError `tenant/busy` when the status is no longer `from`, or another operation works on the tenant.
   */
  async blockTenant({ tenantId, operationId, from }: OfOperation & { from: WorkingStatus }): Promise<{ heardAfterMs: number }> {
    await withoutDeadClaims({ registry, operations }, { tenantId, operationId }, () =>
      registry.transition({ tenantId, from: [from], to: 'offboarding', operationId }),
    );
    return { heardAfterMs: tenantCacheMs };
  },

  /** Tells, with the tenant itself, until when its offboarding can be called off. */
  async announceDeletion({ tenantId, keepUntil }: OfOperation & { keepUntil: string }): Promise<void> {
    await registry.update(tenantId, { keepUntil });
  },

  /** Lets the tenant work again, if this operation is what blocked it. */
  async unblockTenant({ tenantId, operationId, to }: OfOperation & { to: WorkingStatus }): Promise<void> {
    const tenant = await registry.get(tenantId);
    if (!tenant || !isBlockedBy(tenant, operationId)) return;
    await registry.transition({ tenantId, from: ['offboarding'], to, operationId });
  },

  /**
   * Takes a working tenant for one operation, see `TenantRegistry.claim`.
   * @throws DomainError `tenant/not-found`, `tenant/busy`, `tenant/suspended`, `tenant/not-suspended`.
   */
  async claimTenant({ tenantId, operationId, from }: OfOperation & { from?: readonly WorkingStatus[] }): Promise<void> {
    await withoutDeadClaims({ registry, operations }, { tenantId, operationId }, () => registry.claim(tenantId, operationId, from));
  },

  async releaseClaim({ tenantId, operationId }: OfOperation): Promise<void> {
    await registry.releaseClaim(tenantId, operationId);
  },

  /**
   * Refuses, or takes, new work from now on.
   * @returns how long to wait until every process has heard of it.
   */
  async changeStatus({ tenantId, operationId, to }: OfOperation & { to: WorkingStatus }): Promise<{ heardAfterMs: number }> {
    await registry.transition({ tenantId, from: [otherThan(to)], to, operationId });
    return { heardAfterMs: tenantCacheMs };
  },

  /** Takes back a change of status to `to`, if this operation made it. */
  async takeBackStatus({ tenantId, operationId, to }: OfOperation & { to: WorkingStatus }): Promise<void> {
    const tenant = await registry.get(tenantId);
    if (tenant?.status !== to || tenant.operationId !== operationId) return;
    await registry.transition({ tenantId, from: [to], to: otherThan(to), operationId });
  },

  /** The entry stays, so that nobody gets the id again. */
  async buryTenant({ tenantId, operationId, keys = [] }: OfOperation & { keys?: readonly KeyDeletion[] }): Promise<void> {
    const keysDeletedAt = keys.map(({ deletionDate }) => deletionDate).sort().at(-1);
    await registry.bury({ tenantId, operationId, tombstone: { deletedAt: new Date().toISOString(), ...(keysDeletedAt !== undefined && { keysDeletedAt }) } });
  },
});

const otherThan = (status: WorkingStatus): WorkingStatus => (status === 'active' ? 'suspended' : 'active');

/**
 * An operation lets go of its claim when it ends, whatever its end. One that was terminated in Temporal could not: its
 * claim is let go here, and the write is made once more.
 */
async function withoutDeadClaims<T>({ registry, operations }: Pick<RegistryDeps, 'registry' | 'operations'>, { tenantId, operationId }: OfOperation, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) !== 'tenant/busy') throw error;
    const claimedBy = (await registry.get(tenantId))?.claimedBy;
    if (claimedBy === undefined || claimedBy === operationId || (await operations.isRunning(claimedBy))) throw error;
    await registry.releaseClaim(tenantId, claimedBy);
    return await write();
  }
}

const isBlockedBy = (tenant: TenantRecord, operationId: string): boolean =>
  tenant.status === 'offboarding' && tenant.operationId === operationId;
