import type { BudgetLedger } from '../ports/budget-ledger';
import type { Sessions } from '../ports/sessions';
import type { WaitingSessions } from '../ports/waiting-sessions';

export const createWaitingSessions = (ledger: Pick<BudgetLedger, 'waiting'>, sessions: Pick<Sessions, 'budgetChanged'>): WaitingSessions => ({
  async budgetChanged(tenantId, heardAfterMs) {
    for await (const session of ledger.waiting(tenantId)) await sessions.budgetChanged(session, heardAfterMs);
  },
});
