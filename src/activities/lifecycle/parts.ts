import { DomainError } from '../../contracts/errors';
import type { Tiers } from '../../contracts/tiers';
import { definitionOf } from '../../domain/tiers';
import type { TenantGateways, TenantIdentities, TenantPart, TenantRuntimes, TenantScalings } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { waiting } from './waiting';

export interface PartsDeps {
  readonly registry: TenantRegistry;
  readonly tiers: Tiers;
  readonly runtimes: TenantRuntimes;
  /** Undefined, as the two below: the AWS that is used has no such service. */
  readonly gateways: TenantGateways | undefined;
  readonly identities: TenantIdentities | undefined;
  readonly scalings: TenantScalings | undefined;
}

interface OfTenant {
  readonly tenantId: string;
}

/**
 * What a tenant is given beside its stack and its memory, by settings. Each creation notes in the registry what it made, and
 * answers whether it made anything: false when the setting is off. Deletion asks AWS, whatever the settings say by now.
 */
export const createPartActivities = ({ registry, runtimes, gateways, identities, scalings, tiers }: PartsDeps) => ({
  /** @throws DomainError `infrastructure/failed` with AgentCore's reason (not retried). */
  async createRuntime(part: TenantPart): Promise<boolean> {
    const runtime = await runtimes.create(part, waiting());
    if (runtime) await registry.update(part.tenantId, { runtime });
    return runtime !== undefined;
  },

  async deleteRuntime({ tenantId }: OfTenant): Promise<void> {
    await runtimes.delete(tenantId, waiting());
  },

  async createIdentity(part: TenantPart): Promise<boolean> {
    const identity = await identities?.create(part);
    if (identity) await registry.update(part.tenantId, { identity });
    return identity !== undefined;
  },

  async deleteIdentity({ tenantId }: OfTenant): Promise<void> {
    await identities?.delete(tenantId, waiting());
  },

  /** Run again, it gives an existing gateway the tenant's present rate. @throws DomainError `infrastructure/failed` with AgentCore's reason (not retried). */
  async createGateway(part: TenantPart): Promise<boolean> {
    if (!gateways) return false;
    const tenant = await registry.get(part.tenantId);
    if (!tenant) throw new DomainError('tenant/not-found', `There is no tenant ${part.tenantId}.`);
    const gateway = await gateways.create({ ...part, rate: tenant.rate ?? definitionOf(tiers, tenant.tier).rate }, waiting());
    if (gateway) await registry.update(part.tenantId, { gateway });
    return gateway !== undefined;
  },

  async deleteGateway({ tenantId }: OfTenant): Promise<void> {
    await gateways?.delete(tenantId, waiting());
  },

  /** @throws DomainError `infrastructure/failed` when the fleet takes no more policies (not retried). */
  async createScaling({ tenantId }: OfTenant): Promise<boolean> {
    const scaling = await scalings?.create(tenantId);
    if (scaling) await registry.update(tenantId, { scaling });
    return scaling !== undefined;
  },

  async deleteScaling({ tenantId }: OfTenant): Promise<void> {
    await scalings?.delete(tenantId);
  },
});
