import type { QueueService } from '../contracts/diagnostics';

/** Who serves the queues of Temporal. */
export interface TaskQueues {
  /** @throws DomainError `dependency/unavailable` */
  serviceOf(queue: string, kind: 'workflows' | 'activities'): Promise<QueueService>;
}
