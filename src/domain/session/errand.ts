import type { Errand } from '../../contracts/session';
import { beginTurn, receive } from './inbox';
import { isBusy, newSession, type SessionState } from './state';

/** A session that another agent's call has opened. Its one turn has begun, as that of the call has: whoever lets turns finish lets this one. */
export function newErrand({ turnId, timeoutMs = Infinity }: Errand, nowMs: number): SessionState {
  const { limits } = newSession;
  return beginTurn(receive({ ...newSession, limits: { ...limits, maxTurnMs: Math.min(limits.maxTurnMs, timeoutMs) } }, turnId, { unattended: true }), nowMs);
}

/** Whether its turn is over. */
export const isErrandDone = (state: SessionState): boolean => state.turnCount > 0 && !isBusy(state);
