import { createAlarmActivities } from './alarms';
import { type AuditActivityDeps, createAuditActivities } from './audit';
import { type AgentDeps, createAgentActivities } from './agent';
import { type BackupActivityDeps, createBackupActivities } from './backups';
import { type CertificateDeps, createCertificateActivities } from './certificate';
import { createErasureActivities, type ErasureDeps } from './erasure';
import { createInfrastructureActivities, type InfrastructureDeps } from './infrastructure';
import { createPartActivities, type PartsDeps } from './parts';
import { type ChangeDeps, createChangeActivities } from './changes';
import { createRotationActivities, type RotationDeps } from './rotations';
import { createRegistryActivities, type RegistryDeps } from './registry';
import { createScheduleActivities, type ScheduleDeps } from './schedules';
import { createSessionRestActivities } from './session-rest';
import { createSessionLifecycleActivities, type LifecycleSessionDeps } from './sessions';
import { createUsageActivities, type UsageDeps } from '../maintenance/usage';

export interface LifecycleDeps extends RegistryDeps, ChangeDeps, RotationDeps, InfrastructureDeps, AgentDeps, PartsDeps, LifecycleSessionDeps, BackupActivityDeps, CertificateDeps, AuditActivityDeps, ScheduleDeps, ErasureDeps, UsageDeps {}

/** What onboarding and offboarding run on the lifecycle queue. All of it is idempotent. */
export const createLifecycleActivities = (deps: LifecycleDeps) => ({
  ...createRegistryActivities(deps),
  ...createInfrastructureActivities(deps),
  ...createAgentActivities(deps),
  ...createPartActivities(deps),
  ...createSessionLifecycleActivities(deps),
  ...createSessionRestActivities(deps),
  ...createChangeActivities(deps),
  ...createRotationActivities(deps),
  ...createBackupActivities(deps),
  ...createAlarmActivities(deps),
  ...createAuditActivities(deps),
  ...createCertificateActivities(deps),
  ...createScheduleActivities(deps),
  ...createErasureActivities(deps),
  // The clock's, too: there on a queue of its own, where a night of backups may be in front.
  ...createUsageActivities(deps),
});

export type LifecycleActivities = ReturnType<typeof createLifecycleActivities>;
