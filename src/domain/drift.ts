import type { OwnedResource } from '../contracts/inventory';
import type { Finding } from '../contracts/maintenance';
import { scheduleIds, taskQueues, tenantResources } from '../contracts/names';
import type { TenantInfrastructure, TenantRecord } from '../contracts/tenant';
import { describeResource } from './inventory';
import { type ClientRemedy, type MachineClientSight, machineClientDrift } from './machine-client-drift';
import { jobsOf } from './maintenance';

/** All that was seen of a tenant, at about one time. */
export interface TenantSight {
  readonly tenant: TenantRecord;
  readonly owned: readonly OwnedResource[];
  /** Of its stack; absent when there is none. */
  readonly infrastructure?: TenantInfrastructure;
  /** Whether a worker asks for the work on the tenant's queue. */
  readonly isServed: boolean;
  /** Whether the operation runs that gave the tenant its status. */
  readonly isOperationRunning: boolean;
  /** Whether the operation runs that has claimed the tenant. */
  readonly isClaimHeld: boolean;
  /** Why the tenant's configuration cannot be read; absent when it can. */
  readonly configProblem?: string;
  /** Names of all scheduled agents, and of those that are to run; absent when the tenant's table did not say. */
  readonly knownAgentSchedules?: readonly string[];
  readonly agentSchedules?: readonly string[];
  /** Absent when there is no pool, or they changed while they were looked at. */
  readonly machineClients?: MachineClientSight;
}

/** What mends a finding without losing anything. */
export type Remedy = 'create_schedules' | 'correct_registry' | 'release_claim' | ClientRemedy;
/** A finding, and how to mend it if that is safe. */
export interface Drift {
  readonly finding: Omit<Finding, 'repair' | 'tenantId'>;
  readonly remedy?: Remedy;
}

/** How a tenant differs from what its registry entry says it is. */
export function driftOf(sight: TenantSight): Drift[] {
  const { tenant, isOperationRunning, isClaimHeld } = sight;
  const claim = tenant.claimedBy !== undefined && !isClaimHeld ? [endedClaim(tenant)] : [];
  // What an operation works on is between two states, and its own to finish.
  if (isClaimHeld || (isOperationRunning && isUnderWay(tenant))) return claim;
  if (isUnderWay(tenant)) return [...claim, unowned(tenant)];
  // What is left of a rehearsal is an orphan.
  if (tenant.status === 'deleted' || tenant.status === 'scratch') return claim;
  return [...claim, ...resourceDrift(sight), ...strayAgents(sight), ...registryDrift(sight), ...clientDrift(sight), ...workerDrift(sight)];
}

const isUnderWay = ({ status }: TenantRecord): boolean => status === 'provisioning' || status === 'offboarding' || status === 'failed';

const endedClaim = ({ claimedBy = '' }: TenantRecord): Drift => ({
  finding: { kind: 'claim/ended', subject: claimedBy, message: 'The tenant is claimed by an operation that has ended: nothing else can begin.' },
  remedy: 'release_claim',
});

const unowned = ({ status, operationId }: TenantRecord): Drift => ({
  finding: {
    kind: 'status/unowned',
    subject: operationId,
    message: `The tenant is ${status}, and the operation that made it so does not run. Offboard it, or correct its status by hand.`,
  },
});

/** `service:type` and name of what a working tenant owns: what every onboarding makes, and what its entry says it was given besides. */
const expectedOf = ({ tenant: { tenantId, memoryId, infrastructure, runtime, gateway, identity }, configProblem, agentSchedules = [] }: TenantSight): { service: string; type: string; name: string; healthy?: RegExp; problem?: string }[] => {
  const names = tenantResources(tenantId);
  return [
    { service: 'cloudformation', type: 'stack', name: names.stack, healthy: /^(CREATE|UPDATE|UPDATE_ROLLBACK|IMPORT)_COMPLETE$/ },
    { service: 'cognito', type: 'user-pool', name: names.userPool },
    { service: 'cognito', type: 'user-pool-client', name: names.userPoolClient },
    { service: 'kms', type: 'alias', name: names.keyAlias },
    ...(infrastructure ? [{ service: 'kms', type: 'key', name: infrastructure.keyArn, healthy: /^Enabled$/ }] : []),
    { service: 'iam', type: 'role', name: names.role },
    { service: 's3', type: 'bucket', name: names.bucket },
    { service: 'dynamodb', type: 'table', name: names.table, healthy: /^(ACTIVE|UPDATING)$/ },
    { service: 'logs', type: 'log-group', name: names.logGroup },
    ...[names.alarm, names.throttleAlarm, names.backlogAlarm, names.stuckAlarm, names.tableAlarm].map((name) => ({ service: 'cloudwatch', type: 'alarm', name })),
    { service: 'ssm', type: 'parameter', name: names.agentParameter, ...(configProblem !== undefined && { problem: configProblem }) },
    ...(memoryId === undefined ? [] : [{ service: 'agentcore', type: 'memory', name: memoryId, healthy: /^(ACTIVE|UPDATING)$/ }]),
    ...(runtime ? [{ service: 'agentcore', type: 'runtime', name: runtime.runtimeId, healthy: /^(READY|UPDATING)$/ }] : []),
    ...(gateway ? [{ service: 'agentcore', type: 'gateway', name: gateway.gatewayId, healthy: /^(READY|UPDATING)$/ }] : []),
    ...(identity ? [{ service: 'agentcore', type: 'workload-identity', name: names.workloadIdentity }] : []),
    ...[...jobsOf(tenantId).keys(), ...agentSchedules.map(scheduleIds.agentJob)].map((job) => ({ service: 'temporal', type: 'schedule', name: scheduleIds.of(tenantId, job) })),
  ];
};

function resourceDrift(sight: TenantSight): Drift[] {
  const { owned } = sight;
  return expectedOf(sight).flatMap(({ healthy, problem, ...expected }): Drift[] => {
    const found = owned.find(({ service, type, name }) => service === expected.service && type === expected.type && name === expected.name);
    const subject = describeResource(found ?? expected);
    if (!found) {
      const message = 'The tenant should own it, and it is not there.';
      return [{ finding: { kind: 'resource/missing', subject, message }, ...(expected.type === 'schedule' && { remedy: 'create_schedules' }) }];
    }
    const isInState = !healthy || found.state === undefined || healthy.test(found.state);
    const message = isInState ? problem : 'It is not in a state in which it works.';
    return message === undefined ? [] : [{ finding: { kind: 'resource/unhealthy', subject, message } }];
  });
}

/** Temporal runs what the tenant's table does not know: each of its runs is refused. */
function strayAgents({ tenant: { tenantId }, owned, knownAgentSchedules }: TenantSight): Drift[] {
  if (!knownAgentSchedules) return [];
  const known = new Set(knownAgentSchedules.map((name) => scheduleIds.of(tenantId, scheduleIds.agentJob(name))));
  const stray = owned.filter(({ type, name }) => type === 'schedule' && name.startsWith(scheduleIds.of(tenantId, scheduleIds.agentJob(''))) && !known.has(name));
  return stray.map((found) => ({
    finding: { kind: 'resource/unrecorded', subject: describeResource(found), message: "The tenant's table does not know of it." },
    remedy: 'create_schedules',
  }));
}

/** The stack's own outputs are the truth about where its parts are. */
function registryDrift({ tenant, infrastructure }: TenantSight): Drift[] {
  if (!infrastructure) return [];
  const keys = Object.keys(infrastructure) as (keyof TenantInfrastructure)[];
  const differing = keys.filter((key) => tenant.infrastructure?.[key] !== infrastructure[key]);
  return differing.map((key) => ({
    finding: {
      kind: 'registry/differs',
      subject: `registry ${key}`,
      message: `The registry says ${tenant.infrastructure?.[key] ?? 'nothing'}, the stack ${infrastructure[key]}.`,
    },
    remedy: 'correct_registry',
  }));
}

function clientDrift({ tenant: { tenantId, infrastructure: noted }, infrastructure, machineClients }: TenantSight): Drift[] {
  const signIn = [noted?.userPoolClientId, noted?.retiringUserPoolClientId, infrastructure?.userPoolClientId].filter((id) => id !== undefined);
  return machineClients ? machineClientDrift(tenantId, machineClients, signIn) : [];
}

function workerDrift({ tenant: { tenantId }, isServed }: TenantSight): Drift[] {
  if (isServed) return [];
  return [{ finding: { kind: 'worker/absent', subject: `queue ${taskQueues.tenant(tenantId)}`, message: 'No worker asks for its work: the agent cannot answer. Start workers.' } }];
}
