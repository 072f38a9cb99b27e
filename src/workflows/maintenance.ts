import { setCurrentDetails } from '@temporalio/workflow';
import type { ClosedSessions } from '../activities/maintenance/stale-sessions';
import type { TenantJobInput } from '../contracts/maintenance';
import { closeStaleSessions } from './maintenance-activities';

/** Closes what nobody talks in any more. */
export async function staleSessionClosing({ tenantId }: TenantJobInput): Promise<ClosedSessions> {
  const result = await closeStaleSessions({ tenantId });
  setCurrentDetails(`**${result.closed}** of ${result.running} running sessions were idle for long, and are closed.`);
  return result;
}
