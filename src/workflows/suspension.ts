import { sleep } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { changeStatus, pauseTenantSchedules, restSessions, resumeTenantSchedules, takeBackStatus, wakeSessions } from './lifecycle-activities';
import { OperationRun } from './progress';

/**
 * Lets a tenant rest: new work is refused, what runs finishes or pauses, and nothing is lost. See
 * docs/decisions/0024-changes-to-a-working-tenant.md.
 */
export async function suspension(input: OperationInput<'suspension'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, turns } = request;
  const tenant = { tenantId, operationId };
  const run = new OperationRun('suspension', input);

  return run.conduct(() =>
    withClaim(run, { ...tenant, from: ['active'] }, async () => {
      const { heardAfterMs } = await run.step(
        'suspend',
        () => changeStatus({ ...tenant, to: 'suspended' }),
        () => takeBackStatus({ ...tenant, to: 'suspended' }),
      );
      await run.step(
        'pause_schedules',
        () => pauseTenantSchedules(tenant),
        () => resumeTenantSchedules(tenant),
      );
      await run.step(
        'pause_sessions',
        async () => {
          // Until every process refuses messages, a new session may begin.
          await sleep(heardAfterMs);
          await restSessions({ tenantId, turns });
        },
        () => wakeSessions({ tenantId }),
      );
    }),
  );
}
