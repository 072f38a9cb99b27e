export interface Roster {
  /** Of all that are there, this one among them. */
  readonly workerIds: readonly string[];
  /** Whether it was not on it: at its beginning, after an entry ran out, or when the roster was lost. */
  readonly isNew: boolean;
}

/** The worker processes there are. Each says again and again that it is there. */
export interface WorkerRoster {
  /** @param forMs - how long it counts as there without saying so again. @throws DomainError `dependency/unavailable` */
  enter(workerId: string, forMs: number): Promise<Roster>;
  /** Never throws: the entry runs out. */
  leave(workerId: string): Promise<void>;
}
