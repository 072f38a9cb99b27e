import { type AuditSigningDeps, createAuditSigningActivities } from './audit-signing';
import { createDrillActivities, type DrillDeps } from './drill';
import { createDriftActivities, type DriftDeps } from './drift';
import { createExpiryActivities, type ExpiryDeps } from './expiry';
import { createIsolationProbeActivities, type IsolationProbeDeps } from './isolation-probe';
import { createNightlyBackupActivities, type NightlyBackupDeps } from './nightly-backup';
import { createOrphanActivities, type OrphanDeps } from './orphans';
import { createReportActivities, type ReportDeps } from './reports';
import { createStaleSessionActivities, type StaleSessionDeps } from './stale-sessions';
import { createUsageActivities, type UsageDeps } from './usage';

export interface MaintenanceDeps extends StaleSessionDeps, UsageDeps, ReportDeps, DriftDeps, OrphanDeps, DrillDeps, NightlyBackupDeps, ExpiryDeps, AuditSigningDeps, IsolationProbeDeps {}

/** What runs by the clock, on the maintenance queue. All of it is idempotent. */
export const createMaintenanceActivities = (deps: MaintenanceDeps) => ({
  ...createUsageActivities(deps),
  ...createStaleSessionActivities(deps),
  ...createReportActivities(deps),
  ...createDriftActivities(deps),
  ...createOrphanActivities(deps),
  ...createDrillActivities(deps),
  ...createNightlyBackupActivities(deps),
  ...createExpiryActivities(deps),
  ...createAuditSigningActivities(deps),
  ...createIsolationProbeActivities(deps),
});

export type MaintenanceActivities = ReturnType<typeof createMaintenanceActivities>;
