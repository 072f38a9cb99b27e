import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { MaintenanceActivities } from '../activities/maintenance';

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
