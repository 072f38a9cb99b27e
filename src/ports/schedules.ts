import type { MaintenanceRun, PausedSchedule, PlatformJobRequest } from '../contracts/maintenance';
import type { MaintenanceJobName } from '../contracts/names';

/** A schedule as it stands. */
export interface ScheduleState {
  readonly name: MaintenanceJobName;
  readonly paused: boolean;
  /** Who paused or resumed it last, and why; what it is for, until then. */
  readonly note: string;
  readonly nextRunAt?: string;
  /** Ids of the workflows it started that run. */
  readonly running: readonly string[];
}

/**
 * What runs by the clock, as Temporal Schedules `{owner}/schedules/{job}`. The owner is a tenant, or `platform`. All verbs
 * are idempotent; each throws DomainError `dependency/unavailable` when Temporal does not answer.
 */
export interface Schedules {
  /**
   * Creates what the owner lacks, and leaves what is there as it is: operators may have changed it.
   * @param paused - those that begin paused.
   * @returns the names of what it created.
   */
  ensure(owner: string, paused?: readonly PausedSchedule[]): Promise<MaintenanceJobName[]>;
  /** Those that exist, in the order of the jobs. */
  list(owner: string): Promise<ScheduleState[]>;
  /** Deletes all of the owner's, and ends what they started. */
  delete(owner: string): Promise<void>;
  /** @throws DomainError `maintenance/not-found`. */
  pause(owner: string, name: MaintenanceJobName, note: string): Promise<void>;
  /** @throws DomainError `maintenance/not-found`. */
  resume(owner: string, name: MaintenanceJobName, note: string): Promise<void>;
  /**
   * Runs the job now, whether its schedule is paused or not: its schedule starts it, unless it is asked something, which a
   * schedule cannot pass on. Who wanted it and why is in the run's history.
   * @throws DomainError `maintenance/not-found`, `maintenance/running`.
   */
  run(owner: string, name: MaintenanceJobName, byHand: { who: string; why: string; request: PlatformJobRequest }): Promise<MaintenanceRun>;
  /** The newest run, by the clock or by hand; a new one is known after about a second. Undefined when there was none lately. */
  lastRun(owner: string, name: MaintenanceJobName): Promise<MaintenanceRun | undefined>;
}
