import { Context } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import type { KeyDeletion } from '../../contracts/certificate';
import type { TenantInfrastructure } from '../../contracts/tenant';
import { describeResource, leftovers } from '../../domain/inventory';
import type { TenantData, TenantStacks, TenantTraces } from '../../ports/provisioning';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { AccessStore } from '../../ports/access';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { waiting } from './waiting';

export interface InfrastructureDeps {
  readonly registry: TenantRegistry;
  readonly stacks: TenantStacks;
  readonly data: TenantData;
  readonly traces: TenantTraces;
  readonly accessStore: Pick<AccessStore, 'forget'>;
  readonly inventory: TenantInventory;
}

/** The tenant's stack, and what must be taken out of it before and after. */
export const createInfrastructureActivities = ({ registry, stacks, data, traces, accessStore, inventory }: InfrastructureDeps) => ({
  /**
   * Builds the stack and notes in the registry where everything is.
   * @throws DomainError `infrastructure/failed` with CloudFormation's reason, `infrastructure/name-taken` (not retried).
   */
  async createInfrastructure({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<TenantInfrastructure> {
    const infrastructure = await stacks.create(tenantId, operationId, waiting());
    await registry.update(tenantId, { infrastructure });
    return infrastructure;
  },

  async deleteInfrastructure({ tenantId }: { tenantId: string }): Promise<void> {
    await stacks.delete(tenantId, waiting());
  },

  /**
   * CloudFormation deletes no bucket that holds anything. What Valkey holds is a copy of it, and goes with it, as API keys and sign-outs do.
   *
   * @param input - `ofStackOnly`: leave a bucket alone that the tenant's stack did not make. A stack that could not be built
   * because its name is taken must not cost anybody their data.
   */
  async emptyBucket({ tenantId, ofStackOnly = false }: { tenantId: string; ofStackOnly?: boolean }): Promise<void> {
    if (!ofStackOnly || (await stacks.hasBucket(tenantId))) await data.emptyBucket(tenantId, waiting());
    await traces.erase(tenantId);
    await accessStore.forget(tenantId);
  },

  /** Without its key, what may be left of the tenant anywhere is unreadable. */
  async scheduleKeyDeletion({ tenantId }: { tenantId: string }): Promise<KeyDeletion[]> {
    return await data.scheduleKeyDeletion(tenantId);
  },

  /** @throws DomainError `infrastructure/failed` that names what is still there. */
  async checkNothingRemains({ tenantId }: { tenantId: string }): Promise<void> {
    const left = leftovers(await inventory.list(tenantId, Context.current().info.workflowExecution));
    if (left.length > 0) throw new DomainError('infrastructure/failed', `Still there: ${left.map(describeResource).join(', ')}`);
  },
});
