import type { AgentSchedule, ScheduledRun } from '../contracts/schedule';
import type { PageRequest } from './page';

/** Scheduled agents as the tenant's table has them: what is to be done. Temporal, which does it, is behind {@link AgentClock}. */
export interface AgentSchedules {
  /** In the order of their names. */
  list(tenantId: string): Promise<AgentSchedule[]>;
  get(tenantId: string, name: string): Promise<AgentSchedule | undefined>;
  /** @throws DomainError `schedule/not-found` */
  prompt(tenantId: string, name: string): Promise<string>;
  /** The same request finds what it made. @throws DomainError `schedule/exists`, `idempotency/key-reused` */
  create(tenantId: string, schedule: AgentSchedule, prompt: string): Promise<AgentSchedule>;
  /**
   * @param next - the schedule as it was read, changed at will. @param prompt - absent: as it was.
   * @throws DomainError `schedule/changed`
   */
  replace(tenantId: string, next: AgentSchedule, prompt?: string): Promise<AgentSchedule>;
  /** With what is told of its runs. Fine when there is none. */
  delete(tenantId: string, name: string): Promise<void>;
  /** Newest first. */
  runs(tenantId: string, name: string, page: PageRequest): Promise<{ readonly runs: ScheduledRun[]; readonly nextCursor?: string }>;
  /** Writes a run as it stands, and forgets some that are older than is kept. */
  putRun(tenantId: string, run: ScheduledRun): Promise<void>;
  run(tenantId: string, of: Pick<ScheduledRun, 'schedule' | 'runId' | 'startedAt'>): Promise<ScheduledRun | undefined>;
}

/** A scheduled agent as Temporal has it. */
export interface AgentClockState {
  readonly name: string;
  readonly paused: boolean;
  /** Who paused or resumed it last, and why. */
  readonly note: string;
  readonly nextRunAt?: string;
}

/**
 * Scheduled agents as Temporal Schedules `{tenant}/schedules/agents/{name}`. All verbs are idempotent; each throws DomainError
 * `dependency/unavailable` when Temporal does not answer.
 */
export interface AgentClock {
  /**
   * Has Temporal run it as it is written, made if it is missing. With a `pausedNote` it rests, whoever else has it rest; without one it runs
   * if it is made now, and otherwise stays paused, or not. @throws DomainError `schedule/invalid` when Temporal makes nothing of it.
   */
  set(tenantId: string, schedule: AgentSchedule, pausedNote: string | undefined): Promise<void>;
  /** Undefined: there is none, or it ran for the last time long ago. */
  state(tenantId: string, name: string): Promise<AgentClockState | undefined>;
  /** Names of all that Temporal lists, which lags behind by moments. */
  names(tenantId: string): Promise<string[]>;
  /** Fine when there is none. */
  pause(tenantId: string, name: string, note: string): Promise<void>;
  /** Fine when there is none. */
  resume(tenantId: string, name: string, note: string): Promise<void>;
  /** Fine when there is none. @param endsRuns - what it started ends with it; otherwise that goes on. */
  delete(tenantId: string, name: string, endsRuns: boolean): Promise<void>;
  /** Starts a run beside those of the clock. The same run again is fine. @returns when it was started. */
  run(tenantId: string, name: string, byHand: { readonly runId: string; readonly who: string }): Promise<{ startedAt: string }>;
}
