import { DomainError, noneIf } from '../../contracts/errors';
import type { AgentConfig, TenantRecord, Tier } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { definitionOf, mustAllow, mustKnowTier } from '../../domain/tiers';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { TenantGateways } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { WaitingSessions } from '../../ports/waiting-sessions';
import { waiting } from './waiting';

export interface ChangeDeps {
  readonly registry: TenantRegistry;
  readonly configs: AgentConfigs;
  /** Undefined where there are none. */
  readonly gateways: TenantGateways | undefined;
  readonly tiers: Tiers;
  readonly waitingSessions: WaitingSessions;
  /** Age at which every process has read a tenant's tier anew, workers included. */
  readonly tierHeardAfterMs: number;
}

interface OfTenant {
  readonly tenantId: string;
}

/** What a working tenant may use, and what its agent is. */
export const createChangeActivities = ({ registry, configs, gateways, tiers, waitingSessions, tierHeardAfterMs }: ChangeDeps) => ({
  /**
   * Whether the tenant can be moved, and where from: its agent must fit.
   * @throws DomainError `tier/unknown`, `tier/not-allowed` with all that does not fit.
   */
  async checkTier({ tenantId, tier }: OfTenant & { tier: Tier }): Promise<{ before: Tier }> {
    mustKnowTier(tiers, tier);
    mustAllow(tiers, tier, await configs.get(tenantId));
    return { before: (await mustGet(registry, tenantId)).tier };
  },

  /** @returns how long to wait until every process has heard of it. */
  async setTier({ tenantId, tier }: OfTenant & { tier: Tier }): Promise<{ heardAfterMs: number }> {
    const { gateway, rate, operationId } = await registry.update(tenantId, { tier });
    // One that is gone has no rate: the search for drift tells of it.
    if (gateway) await gateways?.setRate({ tenantId, operationId, rate: rate ?? definitionOf(tiers, tier).rate }, waiting());
    await waitingSessions.budgetChanged(tenantId, tierHeardAfterMs);
    return { heardAfterMs: tierHeardAfterMs };
  },

  /**
   * Whether the tenant's tier allows the agent, and which version is in force: none, when what there is cannot be read, which this change mends.
   * @throws DomainError `tier/not-allowed` with all that does not fit.
   */
  async checkConfig({ tenantId, agent }: OfTenant & { agent: AgentConfig }): Promise<{ before?: number; heardAfterMs: number }> {
    mustAllow(tiers, (await mustGet(registry, tenantId)).tier, agent);
    const before = (await configs.current(tenantId).catch(noneIf('config/unreadable')))?.version;
    return { ...(before !== undefined && { before }), heardAfterMs: configs.heardAfterMs };
  },

  /** Puts an earlier version in force again, as a new one. */
  async putConfigBack({ tenantId, version }: OfTenant & { version: number }): Promise<void> {
    await configs.put(tenantId, await configs.version(tenantId, version));
    await waitingSessions.budgetChanged(tenantId, configs.heardAfterMs);
  },
});

async function mustGet(registry: TenantRegistry, tenantId: string): Promise<TenantRecord> {
  const tenant = await registry.get(tenantId);
  if (!tenant) throw new DomainError('tenant/not-found', `There is no tenant "${tenantId}".`);
  return tenant;
}
