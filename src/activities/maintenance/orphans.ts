import { DomainError } from '../../contracts/errors';
import type { OwnedResource } from '../../contracts/inventory';
import type { Finding } from '../../contracts/maintenance';
import { describeResource, leftovers } from '../../domain/inventory';
import type { TenantRecord } from '../../contracts/tenant';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { Operations } from '../../ports/operations';
import type { TenantData, TenantGateways, TenantIdentities, TenantMemories, TenantRuntimes, TenantScalings, TenantStacks, TenantTraces } from '../../ports/provisioning';
import type { AgentClock } from '../../ports/agent-schedules';
import type { Schedules } from '../../ports/schedules';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { AccessStore } from '../../ports/access';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { waiting } from '../lifecycle/waiting';
import { deleteAgentClocks } from '../lifecycle/schedules';

export interface OrphanDeps {
  readonly registry: TenantRegistry;
  readonly inventory: TenantInventory;
  readonly operations: Operations;
  readonly schedules: Schedules;
  readonly agentClock: AgentClock;
  readonly memories: TenantMemories;
  readonly runtimes: TenantRuntimes;
  /** Undefined, as the two below: the AWS that is used has no such service. */
  readonly gateways: TenantGateways | undefined;
  readonly identities: TenantIdentities | undefined;
  readonly scalings: TenantScalings | undefined;
  readonly configs: AgentConfigs;
  readonly data: TenantData;
  readonly stacks: TenantStacks;
  readonly traces: TenantTraces;
  readonly accessStore: AccessStore;
}

/** Resources that bear the name of a tenant the registry does not know, knows as deleted, or as built for a rehearsal that has ended. */
export const createOrphanActivities = (deps: OrphanDeps) => ({
  /** Ids of tenants that own something and do not exist. */
  async listOrphans(): Promise<string[]> {
    const ids = await deps.inventory.tenantIds();
    const orphans: string[] = [];
    for (const tenantId of ids) if (isOrphan(await lookUp(deps, tenantId))) orphans.push(tenantId);
    return orphans;
  },

  /** What it owns. An onboarding takes the id before it builds anything: who has no entry is nobody's. */
  async inspectOrphan({ tenantId }: { tenantId: string }): Promise<Finding[]> {
    const owned = await deps.inventory.list(tenantId);
    const { record, isRehearsed } = await lookUp(deps, tenantId);
    if (!isOrphan({ record, isRehearsed })) return [];
    const whose = record?.status === 'scratch' ? 'The rehearsal it was built for has ended.' : 'No tenant of this id exists.';
    return remainsOf(record, owned).map((resource) => ({
      kind: 'orphan/resource',
      tenantId,
      subject: describeResource(resource),
      message: `${whose} Look at it, then run \`orphans\` with \`destroy\`.`,
      repair: 'possible',
    }));
  },

  /**
   * Deletes what an orphan owns, as an offboarding would. @returns what was found, and whether it is gone.
   * @throws DomainError `tenant/exists` when it is no orphan (any more).
   */
  async destroyOrphan({ tenantId }: { tenantId: string }): Promise<Finding[]> {
    const { record, isRehearsed } = await lookUp(deps, tenantId);
    if (!isOrphan({ record, isRehearsed })) throw new DomainError('tenant/exists', `${tenantId} is a tenant, no orphan.`);
    const before = remainsOf(record, await deps.inventory.list(tenantId));
    await destroy(deps, tenantId);
    if (record?.status === 'scratch') await deps.registry.release(tenantId, record.operationId);
    const left = new Set(leftovers(await deps.inventory.list(tenantId)).map(describeResource));
    return before.map(describeResource).map((subject) => ({
      kind: 'orphan/resource',
      tenantId,
      subject,
      message: left.has(subject) ? 'It is part of no stack: delete it by hand.' : 'Deleted, as asked.',
      repair: left.has(subject) ? 'failed' : 'done',
    }));
  },
});

/** In the order of an offboarding. A bucket that no stack of the tenant's made may be somebody else's: it is left. */
async function destroy({ schedules, agentClock, scalings, gateways, identities, runtimes, memories, configs, data, stacks, traces, accessStore }: OrphanDeps, tenantId: string): Promise<void> {
  await schedules.delete(tenantId);
  await deleteAgentClocks({ agentClock }, tenantId);
  await scalings?.delete(tenantId);
  await gateways?.delete(tenantId, waiting());
  await identities?.delete(tenantId, waiting());
  await runtimes.delete(tenantId, waiting());
  await memories.delete(tenantId, waiting());
  await configs.delete(tenantId);
  if (await stacks.hasBucket(tenantId)) await data.emptyBucket(tenantId, waiting());
  await traces.erase(tenantId);
  await accessStore.forget(tenantId);
  await stacks.delete(tenantId, waiting());
  await data.scheduleKeyDeletion(tenantId);
}

interface Sight {
  readonly record: TenantRecord | undefined;
  /** Whether it was built for a rehearsal that still runs. */
  readonly isRehearsed: boolean;
}

async function lookUp({ registry, operations }: OrphanDeps, tenantId: string): Promise<Sight> {
  const record = await registry.get(tenantId);
  return { record, isRehearsed: record?.status === 'scratch' && (await operations.isRunning(record.operationId)) };
}

/** The entry of a scratch tenant goes, too; that of a deleted one is kept from reuse. */
const remainsOf = (record: TenantRecord | undefined, owned: readonly OwnedResource[]): OwnedResource[] => {
  const left = leftovers(owned);
  return owned.filter((resource) => left.includes(resource) || (record?.status === 'scratch' && resource.service === 'registry'));
};

const isOrphan = ({ record, isRehearsed }: Sight): boolean => !record || record.status === 'deleted' || (record.status === 'scratch' && !isRehearsed);
