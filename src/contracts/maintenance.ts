import { z } from 'zod';
import { ContentComparison } from './backup';
import { ProbeSummary } from './isolation';
import { AnyTenantId } from './tenant';

/** A schedule that somebody has paused. */
export const PausedSchedule = z.object({
  /** Of its job. */
  name: z.string(),
  /** Who paused it, and why. */
  note: z.string(),
});
export type PausedSchedule = z.infer<typeof PausedSchedule>;

/** A schedule of a tenant that leaves, as it was found. */
export interface ScheduleBefore extends PausedSchedule {
  /** Absent: it was, as only those were noted once. */
  readonly paused?: boolean;
}

/** What each run of a tenant's job is started with. */
export interface TenantJobInput {
  readonly tenantId: string;
}

/** What each run of the platform's jobs may be asked; a schedule asks nothing of it. */
export const PlatformJobRequest = z.strictObject({
  /** Repairs what can be repaired without losing anything. */
  repair: z.boolean().optional(),
  /** Orphans to delete with all they own: what is not named here is only reported. */
  destroy: z.array(AnyTenantId).max(100).optional(),
  /** Looks at these tenants only. */
  tenantIds: z.array(AnyTenantId).min(1).max(100).optional(),
  /** Of a recovery drill: how many tenants, unless they are named. */
  perNight: z.number().int().min(1).max(100).optional(),
});
export type PlatformJobRequest = z.infer<typeof PlatformJobRequest>;

/** Something that is not as it should be. */
export const Finding = z.object({
  /** `resource/missing`, `orphan/resource` …, see docs/runbooks.md. */
  kind: z.string(),
  tenantId: z.string().optional(),
  /** What it is about: `dynamodb:table tenant-acme-data`. */
  subject: z.string(),
  message: z.string(),
  /** Whether it was repaired, could be, or needs a person. */
  repair: z.enum(['done', 'failed', 'possible', 'none']),
});
export type Finding = z.infer<typeof Finding>;

/** What a recovery drill measured of one tenant. */
export const DrillFigures = z.object({
  tenantId: z.string(),
  backupId: z.string(),
  backupCreatedAt: z.iso.datetime(),
  drilledAt: z.iso.datetime(),
  backupAgeSeconds: z.number(),
  /** Of the tenant as it works: absent when nothing ever happened in it. */
  newestEventAt: z.iso.datetime().optional(),
  /** From the backup to the newest event after it: what a disaster would have cost. */
  dataLossSeconds: z.number().min(0),
  /** From nothing to a tenant whose data were compared with the backup. */
  recoverySeconds: z.number().min(0),
  steps: z.array(z.object({ name: z.string(), seconds: z.number() })),
  comparison: z.array(ContentComparison),
});
export type DrillFigures = z.infer<typeof DrillFigures>;

/** What one run of a platform's job found. */
export const MaintenanceReport = z.object({
  format: z.literal('tenure-report/1'),
  /** Of the job. */
  name: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** `clean` when nothing is left to do. */
  outcome: z.enum(['clean', 'findings']),
  /** How many tenants it looked at. */
  tenants: z.number().int().min(0),
  findings: z.array(Finding),
  /** Findings over the most a report holds. */
  omitted: z.number().int().min(0),
  /** Of a recovery drill. */
  drills: z.array(DrillFigures).optional(),
  /** Of an isolation probe. */
  probes: z.array(ProbeSummary).optional(),
});
export type MaintenanceReport = z.infer<typeof MaintenanceReport>;

export const runOutcomes = ['running', 'completed', 'failed', 'cancelled', 'terminated', 'timed_out'] as const;

/** A run of a job, by the clock or by hand. */
export const MaintenanceRun = z.object({
  workflowId: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  outcome: z.enum(runOutcomes),
});
export type MaintenanceRun = z.infer<typeof MaintenanceRun>;

/** A job as the API shows it. */
export const MaintenanceView = z.object({
  name: z.string(),
  /** Of a tenant's job. */
  tenantId: z.string().optional(),
  summary: z.string(),
  paused: z.boolean(),
  /** Who paused or resumed it last, and why. */
  note: z.string(),
  nextRunAt: z.iso.datetime().optional(),
  lastRun: MaintenanceRun.optional(),
  lastReport: MaintenanceReport.pick({ startedAt: true, finishedAt: true, outcome: true, tenants: true }).extend({ findings: z.number().int() }).optional(),
});
export type MaintenanceView = z.infer<typeof MaintenanceView>;
