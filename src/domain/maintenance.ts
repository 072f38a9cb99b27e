import { type MaintenanceJobName, platformOwner } from '../contracts/names';
import type { TenantStatus } from '../contracts/tenant';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** What runs by the clock, and how. The reasons are in docs/decisions/0034-maintenance-schedules.md. */
export interface MaintenanceJob {
  /** Whether each tenant has one, or the platform. */
  readonly of: 'tenant' | 'platform';
  /** What it is for, in a line: operators read it in lists. */
  readonly summary: string;
  /** Five fields, UTC. */
  readonly cron: string;
  /** Runs begin at random within this time after `cron`, so that the tenants' do not begin at once. */
  readonly jitterMs: number;
  /** A run that Temporal missed while it was away is made up for when it is no older than this. */
  readonly catchupWindowMs: number;
}

const jobs: Readonly<Record<MaintenanceJobName, MaintenanceJob>> = {
  backup: {
    of: 'tenant',
    summary: 'Back the tenant up, and delete backups the retention rule does not keep',
    cron: '0 1 * * *',
    jitterMs: 3 * hourMs,
    catchupWindowMs: 6 * hourMs,
  },
  usage: {
    of: 'tenant',
    summary: 'Add up what was used',
    cron: '5 * * * *',
    jitterMs: hourMs / 2,
    catchupWindowMs: hourMs,
  },
  stale_sessions: {
    of: 'tenant',
    summary: 'Close sessions that have been idle for long',
    cron: '0 4 * * *',
    jitterMs: hourMs,
    catchupWindowMs: 6 * hourMs,
  },
  drift: {
    of: 'platform',
    summary: 'Compare the registry with what is there',
    cron: '20 * * * *',
    jitterMs: minuteMs,
    catchupWindowMs: hourMs,
  },
  recovery_drill: {
    of: 'platform',
    summary: 'Restore a backup into a scratch tenant and measure it',
    cron: '30 5 * * *',
    jitterMs: 5 * minuteMs,
    catchupWindowMs: 6 * hourMs,
  },
  orphans: {
    of: 'platform',
    summary: 'Look for resources of tenants that do not exist',
    cron: '0 5 * * *',
    jitterMs: 5 * minuteMs,
    catchupWindowMs: 6 * hourMs,
  },
  backlog: {
    of: 'platform',
    summary: 'Measure what waits on the queues of tenants',
    cron: '* * * * *',
    jitterMs: minuteMs / 12,
    // Of the past nothing can be measured.
    catchupWindowMs: minuteMs,
  },
  expiry: {
    of: 'platform',
    summary: 'Delete backups whose time is over, and say what goes soon, is overdue or missing',
    cron: '30 6 * * *',
    jitterMs: 5 * minuteMs,
    catchupWindowMs: 6 * hourMs,
  },
  audit: {
    of: 'platform',
    summary: 'Check what was added to the audit log, and sign its heads',
    cron: '10 * * * *',
    jitterMs: 5 * minuteMs,
    catchupWindowMs: hourMs,
  },
  isolation_probe: {
    of: 'platform',
    summary: 'Try to get at each tenant as another, and say what got through',
    cron: '0 7 * * *',
    jitterMs: 5 * minuteMs,
    catchupWindowMs: 6 * hourMs,
  },
};

/** The jobs of a tenant, or of the platform. */
export function jobsOf(owner: string): ReadonlyMap<MaintenanceJobName, MaintenanceJob> {
  const kind = owner === platformOwner ? 'platform' : 'tenant';
  const all = Object.entries(jobs) as [MaintenanceJobName, MaintenanceJob][];
  return new Map(all.filter(([, job]) => job.of === kind));
}

/** What an operator finds beside a schedule that rests. @param who - an operator's id, or `operation {id}`. */
export const pauseNote = (who: string, why: string): string => `Paused by ${who}: ${why}`;
export const resumeNote = (who: string, why: string): string => `Resumed by ${who}: ${why}`;

const operation = (operationId: string): string => `operation ${operationId}`;

/** Of the operation that made the tenant rest. */
export const restNote = (operationId: string): string => pauseNote(operation(operationId), 'the tenant is suspended');
export const wakeNote = (operationId: string): string => resumeNote(operation(operationId), 'the tenant works again');

/** Whether an operation paused it, and an operation may let it go on; what a person paused is theirs. */
export const isPausedByOperation = (note: string): boolean => note.startsWith(pauseNote(operation(''), '').slice(0, -2));

/** Whether a session has had no event for so long that nobody will miss it. Undefined: it has had none yet, and is about to. */
export const isStale = (lastEventAt: string | undefined, { nowMs, idleMs }: { nowMs: number; idleMs: number }): boolean =>
  lastEventAt !== undefined && nowMs - Date.parse(lastEventAt) > idleMs;

/** Why a tenant of this status is not backed up tonight. Undefined: it is. @param status - undefined of a tenant that does not exist. */
export const leftOutOfBackup = (status: TenantStatus | undefined): string | undefined => (status === 'active' ? undefined : leftOut[status ?? 'deleted']);

const leftOut: Readonly<Record<Exclude<TenantStatus, 'active'>, string>> = {
  suspended: 'it is suspended, and does not change',
  provisioning: 'it is being built, or restored',
  offboarding: 'it leaves: its offboarding takes its last backup',
  failed: 'its onboarding failed',
  deleted: 'it is gone',
  scratch: 'it is a copy, built for a rehearsal',
};
