import { isDeepStrictEqual } from 'node:util';
import { log } from '@temporalio/activity';
import { codeOf, publicFailure } from '../../contracts/errors';
import type { Finding } from '../../contracts/maintenance';
import { platformOwner, scheduleIds, taskQueues } from '../../contracts/names';
import { isWorking, type TenantRecord } from '../../contracts/tenant';
import { type Drift, driftOf, type Remedy, type TenantSight } from '../../domain/drift';
import { abandoned, type MachineClientSight } from '../../domain/machine-client-drift';
import { jobsOf, restNote } from '../../domain/maintenance';
import { hasEnded } from '../../domain/schedules';
import type { AccessStore } from '../../ports/access';
import type { MachineClients } from '../../ports/identity';
import type { Operations } from '../../ports/operations';
import type { TenantStacks } from '../../ports/provisioning';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { AgentClock, AgentSchedules } from '../../ports/agent-schedules';
import type { Schedules } from '../../ports/schedules';
import type { TaskQueues } from '../../ports/task-queues';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { alignAgentSchedules } from '../lifecycle/schedules';

export interface DriftDeps {
  readonly registry: TenantRegistry;
  readonly inventory: TenantInventory;
  readonly stacks: TenantStacks;
  readonly schedules: Schedules;
  readonly configs: AgentConfigs;
  readonly agentSchedules: AgentSchedules;
  readonly agentClock: AgentClock;
  readonly operations: Operations;
  readonly queues: TaskQueues;
  readonly accessStore: AccessStore;
  readonly machineClients: MachineClients;
}

const listedOperations = 100;

/** Compares what the registry says with what is there. */
export const createDriftActivities = (deps: DriftDeps) => ({
  /** @param input - `repair`: mends what can be mended without losing anything. */
  async inspectTenant({ tenantId, repair }: { tenantId: string; repair: boolean }): Promise<Finding[]> {
    const sight = await lookAt(deps, tenantId);
    if (!sight) return [];
    const drifts = driftOf(sight);
    const mended = repair ? await mend(deps, sight, drifts) : new Map<Remedy, boolean>();
    return drifts.map(({ finding, remedy }) => ({ ...finding, tenantId, repair: repairOf(remedy, mended) }));
  },

  /** What belongs to no tenant: the platform's schedules, its queues, operations that rest. */
  async inspectPlatform({ repair }: { repair: boolean }): Promise<Finding[]> {
    const [schedules, queues, stuck] = await Promise.all([platformSchedules(deps, repair), sharedQueues(deps), stuckOperations(deps)]);
    return [...schedules, ...queues, ...stuck];
  },
});

/** @returns undefined when there is nothing to compare, or it changed while it was looked at: the next run sees it settled. */
async function lookAt(deps: DriftDeps, tenantId: string): Promise<TenantSight | undefined> {
  const { registry, inventory, stacks, operations, queues } = deps;
  const tenant = await registry.get(tenantId);
  if (!tenant) return undefined;
  const [owned, infrastructure, service, isOperationRunning, isClaimHeld, configProblem, scheduled, machineClients] = await Promise.all([
    inventory.list(tenantId),
    stacks.outputs(tenantId),
    queues.serviceOf(taskQueues.tenant(tenantId), 'activities'),
    operations.isRunning(tenant.operationId),
    tenant.claimedBy === undefined ? false : operations.isRunning(tenant.claimedBy),
    configProblemOf(deps, tenant),
    scheduledAgents(deps, tenant),
    machineClientsOf(deps, tenant),
  ]);
  if (isChanged(tenant, await registry.get(tenantId))) return undefined;
  return { tenant, owned, isOperationRunning, isClaimHeld, isServed: service.pollers > 0, ...scheduled, ...(infrastructure && { infrastructure }), ...(configProblem !== undefined && { configProblem }), ...(machineClients && { machineClients }) };
}

/** Only what it says is judged here: whatever keeps it from being read is found as what it is. */
async function configProblemOf({ configs }: DriftDeps, { tenantId, status }: TenantRecord): Promise<string | undefined> {
  if (!isWorking(status)) return undefined;
  try {
    await configs.get(tenantId);
  } catch (error) {
    if (codeOf(error) === 'config/unreadable') return publicFailure(error, 'config/unreadable').message;
    log.warn('the configuration was not looked at', { tenantId, error });
  }
  return undefined;
}

/** A table that cannot be read is found to be missing, or ill, as what it is. */
async function scheduledAgents({ agentSchedules }: DriftDeps, { tenantId, status }: TenantRecord): Promise<Pick<TenantSight, 'knownAgentSchedules' | 'agentSchedules'>> {
  if (!isWorking(status)) return {};
  try {
    const known = await agentSchedules.list(tenantId);
    return { knownAgentSchedules: known.map(({ name }) => name), agentSchedules: known.filter((schedule) => !hasEnded(schedule, Date.now())).map(({ name }) => name) };
  } catch (error) {
    log.warn('scheduled agents were not compared', { tenantId, error });
    return {};
  }
}

async function machineClientsOf({ accessStore, machineClients }: DriftDeps, { tenantId, infrastructure }: TenantRecord): Promise<MachineClientSight | undefined> {
  if (!infrastructure) return undefined;
  const registered = await accessStore.machineClients(tenantId);
  const pool = await machineClients.look(infrastructure.userPoolId);
  const isSettled = isDeepStrictEqual(await accessStore.machineClients(tenantId), registered);
  return pool && isSettled ? { registered, pool, seenAtMs: Date.now() } : undefined;
}

const isChanged = (before: TenantRecord, now: TenantRecord | undefined): boolean => before.updatedAt !== now?.updatedAt || before.claimedBy !== now.claimedBy;

const repairOf = (remedy: Remedy | undefined, mended: ReadonlyMap<Remedy, boolean>): Finding['repair'] => {
  if (!remedy) return 'none';
  const isDone = mended.get(remedy);
  return isDone === undefined ? 'possible' : isDone ? 'done' : 'failed';
};

/** Each remedy once, for all it mends. @returns whether it did. */
async function mend(deps: DriftDeps, sight: TenantSight, drifts: readonly Drift[]): Promise<Map<Remedy, boolean>> {
  const mended = new Map<Remedy, boolean>();
  for (const remedy of new Set(drifts.flatMap((drift) => drift.remedy ?? []))) {
    try {
      await remedies[remedy](deps, sight);
      mended.set(remedy, true);
    } catch (error) {
      log.warn('drift was not repaired', { tenantId: sight.tenant.tenantId, remedy, error });
      mended.set(remedy, false);
    }
  }
  return mended;
}

const remedies: Readonly<Record<Remedy, (deps: DriftDeps, sight: TenantSight) => Promise<unknown>>> = {
  async create_schedules({ schedules, ...deps }, { tenant: { tenantId, status, operationId }, knownAgentSchedules }) {
    await schedules.ensure(tenantId);
    if (knownAgentSchedules) await alignAgentSchedules(deps, tenantId, () => (status === 'suspended' ? restNote(operationId) : undefined));
  },
  correct_registry: ({ registry }, { tenant, infrastructure }) => registry.update(tenant.tenantId, infrastructure ? { infrastructure } : {}),
  async delete_app_clients({ machineClients }, { tenant: { tenantId, infrastructure }, machineClients: seen }) {
    if (!infrastructure || !seen) return;
    for (const { oauthClientId } of abandoned(tenantId, seen)) await machineClients.delete(infrastructure.userPoolId, oauthClientId);
  },
  offer_scopes: async ({ machineClients }, { tenant: { infrastructure } }) => infrastructure && machineClients.offerScopes(infrastructure.userPoolId),
  release_claim: ({ registry }, { tenant }) => registry.releaseClaim(tenant.tenantId, tenant.claimedBy ?? ''),
};

async function platformSchedules({ schedules }: DriftDeps, repair: boolean): Promise<Finding[]> {
  const there = new Set((await schedules.list(platformOwner)).map(({ name }) => name));
  const missing = [...jobsOf(platformOwner).keys()].filter((name) => !there.has(name));
  const created = new Set(repair && missing.length > 0 ? await schedules.ensure(platformOwner) : []);
  return missing.map((name) => ({
    kind: 'resource/missing',
    subject: `temporal:schedule ${scheduleIds.of(platformOwner, name)}`,
    message: 'The platform should own it, and it is not there.',
    repair: created.has(name) ? 'done' : 'possible',
  }));
}

async function sharedQueues({ queues }: DriftDeps): Promise<Finding[]> {
  const services = await Promise.all([taskQueues.sessions, taskQueues.lifecycle, taskQueues.maintenance].map((queue) => queues.serviceOf(queue, 'workflows')));
  return services
    .filter(({ pollers }) => pollers === 0)
    .map(({ queue }) => ({ kind: 'worker/absent', subject: `queue ${queue}`, message: 'No worker asks for its work. Start workers.', repair: 'none' }));
}

async function stuckOperations({ operations }: DriftDeps): Promise<Finding[]> {
  const { operations: stuck } = await operations.list({ stuck: true }, { limit: listedOperations });
  return stuck.map(({ operationId, tenantId }) => ({
    kind: 'operation/stuck',
    tenantId,
    subject: operationId,
    message: 'A step rests after many failures. Remove the cause, then retry it.',
    repair: 'none',
  }));
}
