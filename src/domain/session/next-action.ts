import type { CompactionPlan } from '../compaction';
import { onlyWaitsForPeople } from './calls';
import { waitsForBudget } from './budget-pause';
import { isAtRest, keepsWaiting } from './holding';
import type { CurrentTurn, SessionState, TurnEnd, Undo } from './state';
import { nextUndo } from './undo';

export type Action =
  | { readonly do: 'think'; readonly turn: CurrentTurn }
  | { readonly do: 'compact'; readonly turn: CurrentTurn; readonly plan: CompactionPlan }
  | { readonly do: 'useTools'; readonly turn: CurrentTurn }
  | { readonly do: 'endTurn'; readonly turn: CurrentTurn; readonly end: TurnEnd }
  | { readonly do: 'undo'; readonly undo: Undo }
  | { readonly do: 'close' }
  | { readonly do: 'wait' };

/** Decides what the session does next. Pure: the workflow only carries the answer out. */
export function nextAction(state: SessionState): Action {
  const { current: turn } = state;
  const undo = turn ? undefined : nextUndo(state);
  if (undo) return { do: 'undo', undo };
  if (!turn) return state.closing && state.inbox.length === 0 ? { do: 'close' } : { do: 'wait' };
  if (turn.end) return { do: 'endTurn', turn, end: turn.end };
  if (turn.calls.length > 0) return nextOfCalls(state, turn);
  const { maxSteps } = state.limits;
  if (turn.step > maxSteps)
    return { do: 'endTurn', turn, end: { outcome: 'max_steps', message: `The agent used all of its ${maxSteps} steps.` } };
  if (waitsForBudget(turn)) return state.closing ? { do: 'endTurn', turn, end: closedOutOfBudget } : { do: 'wait' };
  if (state.heldAt === 'step') return state.closing ? { do: 'endTurn', turn, end: closedWhileHeld } : { do: 'wait' };
  const { compacting: plan } = turn;
  return plan === undefined || plan === 'done' ? { do: 'think', turn } : { do: 'compact', turn, plan };
}

/** A session that waits for people has nothing to finish: it closes at once, and rests at once. */
function nextOfCalls(state: SessionState, turn: CurrentTurn): Action {
  if (!onlyWaitsForPeople(turn) && !isAtRest(state)) return { do: 'useTools', turn };
  return state.closing ? { do: 'endTurn', turn, end: closedWhileAsking } : { do: 'wait' };
}

const closedWhileAsking: TurnEnd = { outcome: 'cancelled', code: 'session/closed', message: 'The session closed while it waited for people.' };

const closedOutOfBudget: TurnEnd = { outcome: 'budget_exhausted', code: 'session/closed', message: 'The session closed while the turn waited for budget.' };

/** A tenant that leaves from its suspension leaves at once. */
const closedWhileHeld: TurnEnd = { outcome: 'cancelled', code: 'session/closed', message: 'The session closed while the tenant was suspended.' };

/** Whether something is to be done. */
export const canAct = (state: SessionState): boolean =>
  nextAction(state).do !== 'wait' ||
  (!state.current && !keepsWaiting(state) && state.inbox[0] !== undefined && state.inbox[0].announcement !== 'pending');
