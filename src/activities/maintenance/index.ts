import { createStaleSessionActivities, type StaleSessionDeps } from './stale-sessions';

export type MaintenanceDeps = StaleSessionDeps;

/** What runs by the clock, on the maintenance queue. All of it is idempotent. */
export const createMaintenanceActivities = (deps: MaintenanceDeps) => ({
  ...createStaleSessionActivities(deps),
});

export type MaintenanceActivities = ReturnType<typeof createMaintenanceActivities>;
