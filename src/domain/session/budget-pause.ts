import type { ExhaustedBudget } from '../../contracts/budget';
import { omit } from '../omit';
import type { BudgetPause, CurrentTurn, SessionState, TurnEnd } from './state';

/** Budgets are looked at this often although nobody has said that they changed: whoever raised one may have died before telling. */
const recheckMs = 10 * 60_000;

/** Whoever finds no budget in a day that is over has a clock that is behind. */
const clocksMs = 15_000;

/** What a step found that may not be thought. */
export interface Exhausted extends ExhaustedBudget {
  readonly longestPauseMs: number;
}

/** The turn that waits for budget now, and is neither ending nor trying again. */
export const budgetPause = ({ current }: SessionState): BudgetPause | undefined => (current && waitsForBudget(current) ? current.outOfBudget : undefined);

export const waitsForBudget = ({ outOfBudget, end }: CurrentTurn): boolean => outOfBudget !== undefined && !outOfBudget.isRetrying && !end;

/** The step was not thought, as it might have cost more than is left. A turn that has waited before goes on waiting. */
export function pauseForBudget({ budgetHeardAtMs = Infinity, ...turn }: CurrentTurn, { longestPauseMs, renewsAt, ...budget }: Exhausted, nowMs: number): CurrentTurn {
  const renewsAtMs = renewsAt === undefined ? Infinity : Date.parse(renewsAt);
  return {
    ...turn,
    announced: true,
    outOfBudget: {
      ...budget,
      ...(renewsAt !== undefined && { renewsAt }),
      giveUpAtMs: turn.outOfBudget?.giveUpAtMs ?? nowMs + longestPauseMs,
      retryAtMs: Math.min(renewsAtMs, nowMs + recheckMs, budgetHeardAtMs),
      isRetrying: false,
    },
  };
}

/** What the turn waits for has begun already, and the step that has just been refused did not know: asked again at once, it would not know either. @returns undefined for any other pause. */
export function waitForClocks(state: SessionState, nowMs: number): SessionState | undefined {
  const pause = budgetPause(state);
  if (pause?.renewsAt === undefined || pause.retryAtMs !== Date.parse(pause.renewsAt) || pause.retryAtMs > nowMs) return undefined;
  return changePause(state, (given) => ({ ...given, retryAtMs: nowMs + clocksMs }));
}

/** Somebody has changed a budget. @param heardAtMs - when every worker knows. */
export function budgetChanged(state: SessionState, heardAtMs: number): SessionState {
  const { current } = state;
  if (!current || budgetPause(state)) return changePause(state, (pause) => ({ ...pause, retryAtMs: Math.min(pause.retryAtMs, heardAtMs) }));
  return { ...state, current: { ...current, budgetHeardAtMs: heardAtMs } };
}

/** When the turn tries again, or is given up. */
export const budgetDueMs = ({ retryAtMs, giveUpAtMs }: BudgetPause): number => Math.min(retryAtMs, giveUpAtMs);

/** It is time: the turn tries again; one that has waited long enough ends. */
export function retryBudget(state: SessionState, nowMs: number): SessionState {
  const pause = budgetPause(state);
  if (pause && state.current && nowMs >= pause.giveUpAtMs) return { ...state, current: { ...state.current, end: waitedTooLong } };
  return changePause(state, (paused) => ({ ...paused, isRetrying: true }));
}

const waitedTooLong: TurnEnd = { outcome: 'budget_exhausted', code: 'budget/exhausted', message: 'The turn waited for budget for as long as it may.' };

/** There was enough: the step has been thought. */
export const withoutPause = (turn: CurrentTurn): CurrentTurn => (turn.outOfBudget ? omit(turn, 'outOfBudget') : turn);

function changePause(state: SessionState, change: (pause: BudgetPause) => BudgetPause): SessionState {
  const pause = budgetPause(state);
  return pause && state.current ? { ...state, current: { ...state.current, outOfBudget: change(pause) } } : state;
}
