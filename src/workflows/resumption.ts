import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { changeStatus, pauseTenantSchedules, restSessions, resumeTenantSchedules, takeBackStatus, wakeSessions } from './lifecycle-activities';
import { OperationRun } from './progress';

/** Lets a suspended tenant go on: its sessions where they rest, and its schedules, but for those a person has paused. */
export async function resumption(input: OperationInput<'resumption'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId } = request;
  const tenant = { tenantId, operationId };
  const run = new OperationRun('resumption', input);

  return run.conduct(() =>
    withClaim(run, { ...tenant, from: ['suspended'] }, async () => {
      await run.step(
        'reinstate',
        () => changeStatus({ ...tenant, to: 'active' }),
        () => takeBackStatus({ ...tenant, to: 'active' }),
      );
      await run.step(
        'resume_sessions',
        () => wakeSessions({ tenantId }),
        // What has begun to work since rests as soon as it can.
        () => restSessions({ tenantId, turns: 'pause' }),
      );
      await run.step(
        'resume_schedules',
        () => resumeTenantSchedules(tenant),
        () => pauseTenantSchedules(tenant),
      );
    }),
  );
}
