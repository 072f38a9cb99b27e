import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { MaintenanceActivities } from '../activities/maintenance';
import type { BacklogActivities } from '../activities/maintenance/backlog';
import { taskQueues } from '../contracts/names';

/**
 * What fails is tried again for about a quarter of an hour; then the run fails, visibly, and the next one does what it left.
 * Every activity beats each second: a dead worker is noticed after five.
 */
const base: ActivityOptions = {
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '2 minutes', maximumAttempts: 12 },
};

export const { rollUpUsage } = proxyActivities<MaintenanceActivities>({
  ...base,
  startToCloseTimeout: '1 hour',
  summary: "Read the sessions' logs from where the last run stopped",
});
export const { closeStaleSessions } = proxyActivities<MaintenanceActivities>({
  ...base,
  startToCloseTimeout: '1 hour',
  summary: 'Close sessions without a recent event',
});

/**
 * Every minute: what fails twice is left to the next. Not on the maintenance's own queue, whose few slots a night of backups
 * holds for hours, when the fleet must grow.
 */
export const { measureBacklogs } = proxyActivities<BacklogActivities>({
  ...base,
  taskQueue: taskQueues.lifecycle,
  startToCloseTimeout: '50 seconds',
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '1 second', maximumAttempts: 2 },
  summary: 'Ask Temporal what waits, tell CloudWatch',
});

/** Of one tenant among many: what fails three times is a finding, and the others go on. */
const ofOneTenant: ActivityOptions = { ...base, startToCloseTimeout: '2 minutes', retry: { ...base.retry, maximumAttempts: 3 } };

export const { listTenants } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '1 minute', summary: 'A page of the registry' });
export const { publishReport } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '1 minute', summary: 'Save the report' });
export const { inspectPlatform } = proxyActivities<MaintenanceActivities>({ ...ofOneTenant, summary: "The platform's schedules, queues and operations" });
export const { listOrphans } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '30 minutes', summary: 'Whom resources belong to' });

/** Each run of it says in the history which tenant it is about. */
const about = (options: ActivityOptions, tenantId: string, what: string) => proxyActivities<MaintenanceActivities>({ ...options, summary: `${tenantId}: ${what}` });

export const inspectTenant = (input: { tenantId: string; repair: boolean }) => about(ofOneTenant, input.tenantId, 'compare').inspectTenant(input);
export const inspectOrphan = (input: { tenantId: string }) => about(ofOneTenant, input.tenantId, 'what it owns').inspectOrphan(input);
export const destroyOrphan = (input: { tenantId: string }) =>
  about({ ...base, startToCloseTimeout: '30 minutes', retry: { ...base.retry, maximumAttempts: 3 } }, input.tenantId, 'delete what it owns').destroyOrphan(input);

export const { chooseForDrill } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '10 minutes', summary: 'Whose turn it is' });
export const newestEvent = (input: Parameters<MaintenanceActivities['newestEvent']>[0]) =>
  about({ ...base, startToCloseTimeout: '30 minutes' }, input.tenantId, 'its newest event').newestEvent(input);

export const { whyNoBackup } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '1 minute', summary: 'Whether it is backed up tonight' });
export const { pruneBackups } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '30 minutes', summary: 'Delete what the retention rule does not keep' });

export const { listAuditedTenants } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '1 minute', summary: 'A page of the registry' });
export const signAuditChain = (input: { tenantId?: string }) => about({ ...ofOneTenant, startToCloseTimeout: '30 minutes' }, input.tenantId ?? 'platform', 'its audit log').signAuditChain(input);

export const { listBackupOwners } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '10 minutes', summary: 'Tenants there are, and tenants of which there are backups' });
export const checkExpiry = (input: { tenantId: string }) => about({ ...ofOneTenant, startToCloseTimeout: '30 minutes' }, input.tenantId, 'its backups').checkExpiry(input);

export const { chooseForProbe } = proxyActivities<MaintenanceActivities>({ ...base, startToCloseTimeout: '10 minutes', summary: 'Who tries to get at whom' });
/** Cancelled, it is waited for: it must not sign its user in after that user was removed. */
export const probeTenant = (input: Parameters<MaintenanceActivities['probeTenant']>[0]) =>
  about({ ...ofOneTenant, startToCloseTimeout: '5 minutes', cancellationType: 'WAIT_CANCELLATION_COMPLETED' }, input.tenantId, `try to get at ${input.otherTenantId}`).probeTenant(input);
export const removeProbeUser = (input: Parameters<MaintenanceActivities['removeProbeUser']>[0]) =>
  about({ ...base, startToCloseTimeout: '1 minute' }, input.tenantId, 'remove the user of the probe').removeProbeUser(input);
