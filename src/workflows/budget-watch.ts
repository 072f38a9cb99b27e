import { CancellationScope, condition, patched } from '@temporalio/workflow';
import * as domain from '../domain/session';

/**
 * Has a turn that waits for budget try again: when somebody has changed one, when a new day or month begins, and now and then. While
 * the tenant is suspended nothing is tried, and no turn is given up.
 */
export class BudgetWatch {
  private isWatching = false;

  /** @param session - whose state changes when it is time. */
  constructor(private readonly session: { state: domain.SessionState }) {}

  /** Watches over a turn that has come to wait, in this run or the one before. */
  attend(): void {
    if (this.isWatching || !domain.budgetPause(this.session.state)) return;
    const later = domain.waitForClocks(this.session.state, Date.now());
    // Runs of before ask again at once, which is no timer.
    if (later && patched('waits-for-clocks')) this.session.state = later;
    void CancellationScope.nonCancellable(() => this.watch());
  }

  private async watch(): Promise<void> {
    this.isWatching = true;
    const pause = () => domain.budgetPause(this.session.state);
    const isHeld = () => this.session.state.heldAt !== undefined;
    for (let current = pause(); current; current = pause()) {
      const dueMs = domain.budgetDueMs(current);
      const isOther = () => {
        const now = pause();
        return !now || domain.budgetDueMs(now) !== dueMs;
      };
      if (isHeld()) await condition(() => !isHeld() || !pause());
      else if (dueMs > Date.now()) await condition(() => isHeld() || isOther(), dueMs - Date.now());
      else this.session.state = domain.retryBudget(this.session.state, Date.now());
    }
    this.isWatching = false;
  }
}
