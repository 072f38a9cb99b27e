import { createUsageActivities, type UsageDeps } from './usage';
import { createStaleSessionActivities, type StaleSessionDeps } from './stale-sessions';

export interface MaintenanceDeps extends StaleSessionDeps, UsageDeps {}

/** What runs by the clock, on the maintenance queue. All of it is idempotent. */
export const createMaintenanceActivities = (deps: MaintenanceDeps) => ({
  ...createUsageActivities(deps),
  ...createStaleSessionActivities(deps),
});

export type MaintenanceActivities = ReturnType<typeof createMaintenanceActivities>;
