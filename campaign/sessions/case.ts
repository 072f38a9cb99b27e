import type { Stage } from './stage';

/** Something that is done to sessions, and what must hold all the same. */
export interface SessionCase {
  readonly id: string;
  /** How many effects (turns, messages, orders) one run of it looks at. */
  run(stage: Stage, size: number): Promise<CaseRun>;
}

export interface CaseRun {
  /** How many turns were looked at. */
  readonly turns: number;
  /** Empty when all held. */
  readonly problems: readonly string[];
}
