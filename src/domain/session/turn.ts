import type { TurnOutcome } from '../../contracts/session';
import type { CompactionPlan } from '../compaction';
import { omit } from '../omit';
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
  /** Where in the log is what is remembered of the user. */
  readonly factsAt?: number;
  /** The turn was completed, and its agent has facts extracted from it. */
  readonly extract?: true;
  /** The step has begun, and cannot be thought before this is summarised: the conversation is too long for the model. */
  readonly compact?: CompactionPlan;
}

/** What came of summarising. */
export interface CompactionResult {
  readonly head: number;
  /** Where the summary is; absent: there is none. */
  readonly at?: number;
  /** It was not tried: it might have cost more than is left. */
  readonly exhausted?: Exhausted;
  /** Set when the turn ended for that. */
  readonly outcome?: TurnOutcome;
}

/**
 * The model has spoken: its tools come next, or the turn is over. Or it may not speak: then the turn waits for budget.
 * @param nowMs - counts for that wait only.
 */
export function recordThought(state: SessionState, thought: Thought, nowMs = 0): SessionState {
  const advanced = { ...advance(state, thought.head), limits: thought.limits };
  if (!advanced.current) return advanced;
  const noted = notesOf(advanced.current, thought);
  if (thought.compact) return { ...advanced, current: { ...withoutSteering(advanced.current), ...noted, announced: true, compacting: thought.compact } };
  if (thought.outcome) return finishTurn(advanced, thought.head);
  if (thought.exhausted) return { ...advanced, current: pauseForBudget({ ...withoutSteering(advanced.current), ...noted }, thought.exhausted, nowMs) };
  const current = omit(withoutSteering(withoutPause(advanced.current)), 'compacting');
  const step = thought.calls.length > 0 ? current.step : current.step + 1;
  return { ...advanced, current: { ...current, announced: true, step, calls: thought.calls, ...noted } };
}

/** What a step found out for all that follow it. */
function notesOf(turn: CurrentTurn, thought: Thought): Pick<CurrentTurn, 'configVersion' | 'factsAt'> {
  const { configVersion = thought.configVersion, factsAt = thought.factsAt } = turn;
  return { ...(configVersion !== undefined && { configVersion }), ...(factsAt !== undefined && { factsAt }) };
}

/** What was too long has a summary, or gets none: the step is thought again. Or it waits for budget, and is summarised then. */
export function recordCompaction(state: SessionState, { upTo }: CompactionPlan, { head, at, exhausted, outcome }: CompactionResult, nowMs: number): SessionState {
  if (outcome) return finishTurn(state, head);
  const { current, ...rest } = advance(state, head);
  if (!current) return rest;
  if (exhausted) return { ...rest, current: pauseForBudget(current, exhausted, nowMs) };
  return { ...rest, ...(at !== undefined && { compaction: { at, upTo } }), current: { ...withoutPause(current), compacting: 'done' } };
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
