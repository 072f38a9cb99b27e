import { setCurrentDetails } from '@temporalio/workflow';
import type { MeasuredBacklogs } from '../activities/maintenance/backlog';
import type { ClosedSessions } from '../activities/maintenance/stale-sessions';
import type { RolledUp } from '../activities/maintenance/usage';
import type { TenantJobInput } from '../contracts/maintenance';
import { closeStaleSessions, measureBacklogs, rollUpUsage } from './maintenance-activities';

/** Adds up what the tenant used since the last time. */
export async function usageRollUp({ tenantId }: TenantJobInput): Promise<RolledUp> {
  const result = await rollUpUsage({ tenantId });
  setCurrentDetails(`**${result.modelCalls}** calls of a model added, from ${result.sessions} open sessions.`);
  return result;
}

/** Closes what nobody talks in any more. */
export async function staleSessionClosing({ tenantId }: TenantJobInput): Promise<ClosedSessions> {
  const result = await closeStaleSessions({ tenantId });
  setCurrentDetails(`**${result.closed}** sessions were idle for long, and are closed; ${result.running} were running.`);
  return result;
}

/** Tells CloudWatch what waits on the queues of tenants. */
export async function backlogMeasuring(): Promise<MeasuredBacklogs> {
  const result = await measureBacklogs();
  setCurrentDetails(`**${result.waiting}** tasks wait on the queues of ${result.tenants} tenants.`);
  return result;
}
