import type { Budget, BudgetCounter, BudgetLevel, BudgetUnit, Ending, Reservation } from '../contracts/budget';
import type { ModelPurpose } from '../contracts/events';
import type { SessionRef } from '../contracts/session';

/** One model step, or what is done for it: the same for all attempts at it. */
export interface StepRef extends SessionRef {
  readonly turnId: string;
  readonly step: number;
  /** Absent: the answer itself. */
  readonly purpose?: ModelPurpose;
}

/** A level that has a limit, and the counter it is held against. */
export interface LimitedCounter {
  readonly level: BudgetLevel;
  readonly counter: string;
  readonly limit: Budget;
}

/** What a tenant's agents may spend and have spent, in the tenant's own table. All writes are atomic, and fine to repeat. */
export interface BudgetLedger {
  /**
   * Holds the most an attempt can cost against every level, or none of them. What an attempt before it held is lost: its worker died.
   * @returns what has not enough left; then nothing was changed.
   * @throws DomainError `dependency/unavailable`, `dependency/denied`: nothing may be spent then.
   */
  reserve(step: StepRef, reservation: Reservation, levels: readonly LimitedCounter[]): Promise<{ level: BudgetLevel; unit: BudgetUnit } | undefined>;
  /** Notes what came of an attempt; nothing when it has been noted, or another has taken over. */
  close(step: StepRef, reservation: Reservation, ending: Ending): Promise<void>;
  /** What is held for a step. */
  held(step: StepRef): Promise<Reservation | undefined>;
  /** What is held for any step of a turn. */
  heldOf(session: SessionRef, turnId: string): Promise<(Pick<StepRef, 'step' | 'purpose'> & { reservation: Reservation })[]>;
  /** Counters by name; those nobody has counted in are empty. */
  counters(tenantId: string, names: readonly string[]): Promise<Readonly<Record<string, BudgetCounter>>>;
  /** Keeps the session in the list of those that wait for budget, or takes it out. */
  noteWaiting(session: SessionRef, isWaiting: boolean): Promise<void>;
  waiting(tenantId: string): AsyncIterable<SessionRef>;
}
