/** Activities that wait on a queue for a worker. */
export interface Backlog {
  /** About; what has timed out meanwhile may still be among them. */
  readonly tasks: number;
  /** Of the oldest. 0 when none waits. */
  readonly ageMs: number;
}

/** Who serves the task queues, and whether they keep up. */
export interface Workforce {
  /** When a worker last asked the queue for activities or workflows, in ms since 1970. Undefined when none did in the last minutes. */
  polledAtMs(taskQueue: string, kind: 'activity' | 'workflow'): Promise<number | undefined>;
  /** What waits on the queue. @throws DomainError `dependency/unavailable` */
  backlogOf(taskQueue: string): Promise<Backlog>;
}
