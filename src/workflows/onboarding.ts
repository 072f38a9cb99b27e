import { patched } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import {
  activateTenant,
  createAdministrator,
  createInfrastructure,
  createMemory,
  createTenantSchedules,
  deleteConfig,
  deleteInfrastructure,
  deleteMemory,
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
        await emptyBucket(tenant);
        await deleteInfrastructure(tenant);
        await scheduleKeyDeletion(tenant);
      },
    );
    await run.step(
      'memory',
      () => createMemory({ ...tenant, infrastructure }),
      () => deleteMemory(tenant),
    );
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
    await run.step('worker', () => handshakeWith(tenantId)());
    await run.step(
      'smoke_turn',
      () => holdSmokeTurn(tenant),
      () => terminateSessions(tenant),
    );
    await run.irrevocably(() => run.step('activate', () => activateTenant(tenant)));
  });
}
