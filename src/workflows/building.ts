import type { TenantInfrastructure } from '../contracts/tenant';
import {
  checkNothingRemains,
  createGateway,
  createIdentity,
  createInfrastructure,
  createMemory,
  createRuntime,
  createScaling,
  createTenantSchedules,
  deleteConfig,
  deleteGateway,
  deleteIdentity,
  deleteInfrastructure,
  deleteMemory,
  deleteRuntime,
  deleteScaling,
  deleteTenantSchedules,
  emptyBucket,
  handshakeWith,
  holdSmokeTurn,
  scheduleKeyDeletion,
  terminateSessions,
} from './lifecycle-activities';

/** Steps that every operation takes that builds a tenant, or takes one apart: each with its undo, in one place. */

interface OfOperation {
  readonly tenantId: string;
  readonly operationId: string;
}

type Undo = () => Promise<void>;

/** Gives the tenant its stack, and its memory. */
export async function buildGround(
  run: { step<T>(name: 'infrastructure' | 'memory', attempt: () => Promise<T>, undo: Undo): Promise<T> },
  tenant: OfOperation,
): Promise<TenantInfrastructure> {
  const infrastructure = await run.step(
    'infrastructure',
    () => createInfrastructure(tenant),
    async () => {
      await emptyBucket({ ...tenant, ofStackOnly: true });
      await deleteInfrastructure(tenant);
      await scheduleKeyDeletion(tenant);
    },
  );
  await run.step(
    'memory',
    () => createMemory({ ...tenant, infrastructure }),
    () => deleteMemory(tenant),
  );
  return infrastructure;
}

/** Gives the tenant what AgentCore has beside its memory. */
export async function giveAgentCoreParts(
  run: { optional(name: 'runtime' | 'identity' | 'gateway', attempt: () => Promise<boolean>, undo: Undo): Promise<void> },
  part: Parameters<typeof createRuntime>[0],
): Promise<void> {
  await run.optional(
    'runtime',
    () => createRuntime(part),
    () => deleteRuntime(part),
  );
  await run.optional(
    'identity',
    () => createIdentity(part),
    () => deleteIdentity(part),
  );
  await run.optional(
    'gateway',
    () => createGateway(part),
    () => deleteGateway(part),
  );
}

export const giveSchedules = (run: { step(name: 'schedules', attempt: () => Promise<void>, undo: Undo): Promise<void> }, tenant: OfOperation): Promise<void> =>
  run.step(
    'schedules',
    () => createTenantSchedules(tenant),
    () => deleteTenantSchedules(tenant),
  );

export const giveScaling = (run: { optional(name: 'scaling', attempt: () => Promise<boolean>, undo: Undo): Promise<void> }, tenant: OfOperation): Promise<void> =>
  run.optional(
    'scaling',
    () => createScaling(tenant),
    () => deleteScaling(tenant),
  );

/** Holds a first conversation through the tenant's own queue. */
export async function proveItWorks(run: { step<T>(name: 'worker' | 'smoke_turn', attempt: () => Promise<T>, undo?: Undo): Promise<T> }, tenant: OfOperation): Promise<void> {
  await run.step('worker', () => handshakeWith(tenant.tenantId)());
  await run.step(
    'smoke_turn',
    () => holdSmokeTurn(tenant),
    () => terminateSessions(tenant),
  );
}

type GroundStep = 'delete_memory' | 'delete_config' | 'empty_bucket' | 'delete_infrastructure' | 'schedule_key_deletion' | 'check_remains';

/**
 * Deletes what {@link buildGround} made and what came to lie on it. The stack comes after all that needs its role or stands
 * in its way; the key last, when nothing is encrypted any more.
 *
 * @returns the keys that are pending deletion.
 */
export async function clearGround(
  run: { insist<T>(name: GroundStep, attempt: () => Promise<T>): Promise<T> },
  tenant: OfOperation,
): ReturnType<typeof scheduleKeyDeletion> {
  await run.insist('delete_memory', () => deleteMemory(tenant));
  await run.insist('delete_config', () => deleteConfig(tenant));
  await run.insist('empty_bucket', () => emptyBucket(tenant));
  await run.insist('delete_infrastructure', () => deleteInfrastructure(tenant));
  const keys = await run.insist('schedule_key_deletion', () => scheduleKeyDeletion(tenant));
  await run.insist('check_remains', () => checkNothingRemains(tenant));
  return keys;
}
