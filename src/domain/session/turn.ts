import type { TurnOutcome } from '../../contracts/session';
import { type Exhausted, pauseForBudget, withoutPause } from './budget-pause';
import { giveBack } from './inbox';
import { advance, type CurrentTurn, type OpenCall, type SessionState, type TurnLimits } from './state';

export interface Thought {
  readonly head: number;
  /** Absent: the model asked for tools, or for another step. */
  readonly outcome?: TurnOutcome;
  /** Calls that wait for a result; those refused at once have theirs already. */
  readonly calls: readonly OpenCall[];
  readonly limits: TurnLimits;
  /** The step may not be thought: it might cost more than is left. */
  readonly exhausted?: Exhausted;
  /** Of the configuration it was thought with. */
  readonly configVersion?: number;
}

/**
 * The model has spoken: its tools come next, or the turn is over. Or it may not speak: then the turn waits for budget.
 * @param nowMs - counts for that wait only.
 */
export function recordThought(state: SessionState, thought: Thought, nowMs = 0): SessionState {
  const advanced = { ...advance(state, thought.head), limits: thought.limits };
  if (!advanced.current) return advanced;
  if (thought.outcome) return finishTurn(advanced, thought.head);
  const current = withoutSteering(withoutPause(advanced.current));
  const step = thought.calls.length > 0 ? current.step : current.step + 1;
  const configVersion = current.configVersion ?? thought.configVersion;
  const version = configVersion !== undefined && { configVersion };
  if (thought.exhausted) return { ...advanced, current: pauseForBudget({ ...withoutSteering(advanced.current), ...version }, thought.exhausted, nowMs) };
  return { ...advanced, current: { ...current, announced: true, step, calls: thought.calls, ...version } };
}

function withoutSteering(turn: CurrentTurn): CurrentTurn {
  const { steering, ...rest } = turn;
  return steering ? rest : turn;
}

/**
 * The turn's `turn.completed` is in the log.
 * @param unseen - messages that were to join it and are not in the log: none is lost.
 */
export function finishTurn(state: SessionState, head: number, unseen: readonly string[] = []): SessionState {
  const { current, ...rest } = advance(state, head);
  return giveBack({ ...rest, turnCount: state.turnCount + (current ? 1 : 0) }, unseen);
}

/** Milliseconds the running turn has left; at least 1, so that it can serve as a timeout. */
export const turnTimeLeftMs = (state: SessionState, startedAtMs: number, nowMs: number): number =>
  Math.max(1, startedAtMs + state.limits.maxTurnMs - nowMs);

/** Where the log begins for the model: before the oldest turn it is shown. */
export const historyStart = (state: SessionState): number => state.turnStarts.slice(-state.limits.historyTurns)[0] ?? 0;
