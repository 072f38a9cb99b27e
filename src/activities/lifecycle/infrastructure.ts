import { DomainError } from '../../contracts/errors';
import type { TenantInfrastructure } from '../../contracts/tenant';
import type { TenantData, TenantStacks } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { waiting } from './waiting';

export interface InfrastructureDeps {
  readonly registry: TenantRegistry;
  readonly stacks: TenantStacks;
  readonly data: TenantData;
}

/** The tenant's stack, and what must be taken out of it before and after. */
export const createInfrastructureActivities = ({ registry, stacks, data }: InfrastructureDeps) => ({
  /**
   * Builds the stack and notes in the registry where everything is.
   * @throws DomainError `infrastructure/failed` with CloudFormation's reason (not retried).
   */
  async createInfrastructure({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<TenantInfrastructure> {
    const infrastructure = await stacks.create(tenantId, operationId, waiting());
    await registry.update(tenantId, { infrastructure });
    return infrastructure;
  },

  async deleteInfrastructure({ tenantId }: { tenantId: string }): Promise<void> {
    await stacks.delete(tenantId, waiting());
  },

  /** CloudFormation deletes no bucket that holds anything. */
  async emptyBucket({ tenantId }: { tenantId: string }): Promise<void> {
    await data.emptyBucket(tenantId, waiting());
  },

  /** Without its key, what may be left of the tenant anywhere is unreadable. */
  async scheduleKeyDeletion({ tenantId }: { tenantId: string }): Promise<{ keyArn: string; deletionDate: string } | undefined> {
    return await data.scheduleKeyDeletion(tenantId);
  },

  /** @throws DomainError `infrastructure/failed` that names what is still there. */
  async checkNothingRemains({ tenantId }: { tenantId: string }): Promise<void> {
    const remains = await data.remains(tenantId);
    if (remains.length > 0) throw new DomainError('infrastructure/failed', `Still there: ${remains.join(', ')}`);
  },
});
