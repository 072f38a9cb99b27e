/** Who serves the task queues. */
export interface Workforce {
  /** When a worker last asked the queue for activities or workflows, in ms since 1970. Undefined when none did in the last minutes. */
  polledAtMs(taskQueue: string, kind: 'activity' | 'workflow'): Promise<number | undefined>;
}
