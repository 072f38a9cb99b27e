import type { WorkerRoster } from '../ports/worker-roster';

export interface ColleaguesOptions {
  readonly roster: WorkerRoster;
  readonly workerId: string;
  /** How long a process that does not say so any more counts as there. */
  readonly absentAfterMs: number;
}

/** The worker processes there are, this one among them, as far as it knows. */
export class Colleagues {
  private known: readonly string[];
  private isEntered = false;
  private incompleteUntilMs = 0;

  constructor(private readonly options: ColleaguesOptions) {
    this.known = [options.workerId];
  }

  /** Of this process. */
  get workerId(): string {
    return this.options.workerId;
  }

  /** Says that this one is there, and looks who else is. While Valkey does not answer, those of before count as there. */
  async look(): Promise<readonly string[]> {
    const { roster, workerId, absentAfterMs } = this.options;
    const found = await roster.enter(workerId, absentAfterMs).catch(() => undefined);
    if (!found) return this.known;
    // It was lost: the others will be on it again in a moment, and their tenants are not to be served by everybody until then.
    if (found.isNew && this.isEntered) this.incompleteUntilMs = performance.now() + absentAfterMs;
    this.isEntered = true;
    const before = performance.now() < this.incompleteUntilMs ? this.known : [];
    this.known = [...new Set([...before, ...found.workerIds])];
    return this.known;
  }

  /** Others take over what this one served. */
  async leave(): Promise<void> {
    await this.options.roster.leave(this.options.workerId);
  }
}
