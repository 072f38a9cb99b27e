import { patched } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { buildGround, giveAgentCoreParts, giveScaling, giveSchedules, proveItWorks } from './building';
import { activateTenant, createAdministrator, deleteConfig, putConfig, releaseTenant, reserveTenant } from './lifecycle-activities';
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
    const infrastructure = await buildGround(run, tenant);
    if (patched(completeOnboarding)) await giveAgentCoreParts(run, { ...tenant, infrastructure });
    await run.step(
      'config',
      () => putConfig({ tenantId, agent }),
      () => deleteConfig(tenant),
    );
    // Nothing to undo: the user leaves with the pool.
    await run.step('administrator', () => createAdministrator({ userPoolId: infrastructure.userPoolId, email: administrator.email }));
    if (patched('tenant-schedules')) await giveSchedules(run, tenant);
    if (patched(completeOnboarding)) await giveScaling(run, tenant);
    await proveItWorks(run, tenant);
    await run.irrevocably(() => run.step('activate', () => activateTenant(tenant)));
  });
}

/** Onboardings that began before AgentCore was more than a memory go on without. */
const completeOnboarding = 'complete-onboarding';
