import type { QueueService } from '../contracts/diagnostics';

/** Activities that wait on a queue for a worker. */
export interface Backlog {
  /** About; what has timed out meanwhile may still be among them. */
  readonly tasks: number;
  /** Of the oldest. 0 when none waits. */
  readonly ageMs: number;
}

/** Who serves the queues of Temporal, and whether they keep up. Each verb throws DomainError `dependency/unavailable`. */
export interface TaskQueues {
  /** Who asks for its workflows or activities. Temporal forgets a worker after five minutes. */
  serviceOf(queue: string, kind: 'workflows' | 'activities'): Promise<QueueService>;
  /** Activities that wait on it. */
  backlogOf(queue: string): Promise<Backlog>;
}
