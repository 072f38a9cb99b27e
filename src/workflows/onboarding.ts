import { patched } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import {
  activateTenant,
  createAdministrator,
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
  putConfig,
  releaseTenant,
  reserveTenant,
  scheduleKeyDeletion,
  terminateSessions,
} from './lifecycle-activities';
import { OperationRun } from './progress';

/**
 * Makes a tenant: from its id to a first conversation held through its own queue. It ends with an active tenant, or
 * with nothing: whatever fails, every step is undone, newest first. See docs/decisions/0007-lifecycle-saga.md.
 */
export async function onboarding(input: OperationInput<'onboarding'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, displayName, tier, rate, administrator, agent } = request;
  const tenant = { tenantId, operationId };
  const run = new OperationRun('onboarding', input);

  return run.conduct(async () => {
    await run.step(
      'reserve',
      () => reserveTenant({ ...tenant, displayName, tier, ...(rate && { rate }) }),
      () => releaseTenant(tenant),
    );
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
    const part = { ...tenant, infrastructure };
    if (patched(completeOnboarding)) await giveAgentCoreParts(run, part);
    await run.step(
      'config',
      () => putConfig({ tenantId, agent }),
      () => deleteConfig(tenant),
    );
    // Nothing to undo: the user leaves with the pool.
    await run.step('administrator', () => createAdministrator({ userPoolId: infrastructure.userPoolId, email: administrator.email }));
    if (patched('tenant-schedules'))
      await run.step(
        'schedules',
        () => createTenantSchedules(tenant),
        () => deleteTenantSchedules(tenant),
      );
    if (patched(completeOnboarding))
      await run.optional(
        'scaling',
        () => createScaling(tenant),
        () => deleteScaling(tenant),
      );
    await run.step('worker', () => handshakeWith(tenantId)());
    await run.step(
      'smoke_turn',
      () => holdSmokeTurn(tenant),
      () => terminateSessions(tenant),
    );
    await run.irrevocably(() => run.step('activate', () => activateTenant(tenant)));
  });
}

/** Onboardings that began before AgentCore was more than a memory go on without. */
const completeOnboarding = 'complete-onboarding';

/** The part of an operation that gives a tenant what AgentCore has beside its memory. */
interface PartsRun {
  optional(name: 'runtime' | 'identity' | 'gateway', attempt: () => Promise<boolean>, undo: () => Promise<void>): Promise<void>;
}

export async function giveAgentCoreParts(run: PartsRun, part: Parameters<typeof createRuntime>[0]): Promise<void> {
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
