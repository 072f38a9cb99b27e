import type { PickedUp } from './log-past';
import type { TurnOutcome } from '../contracts/session';

/** Messages that may wait in one session. */
export const maxInbox = 100;
/** Turn ids remembered, so that a message sent again after a roll-over is recognised. */
const maxSeen = 256;
/** Turns after which the workflow continues as new. */
export const turnsPerRun = 25;
/** Where the latest turns begin in the log; as many as a model may be shown. */
const maxTurnStarts = 100;
/** Waiting turns announced in one write. */
export const maxAnnounced = 50;

/** A tool call that waits for its result, with what the workflow needs to run it. */
export interface OpenCall {
  readonly callId: string;
  readonly tool: string;
  /** Sequence number of its `tool.requested` event, which holds the input. */
  readonly requestedAt: number;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
}

export interface QueuedTurn {
  readonly turnId: string;
  /** Whether its `turn.queued` event is in the log, on its way there, or left to the turn's first step. */
  readonly announcement: 'none' | 'pending' | 'done';
  readonly cancelled: boolean;
}

export interface TurnEnd {
  readonly outcome: TurnOutcome;
  readonly code?: string;
  readonly message?: string;
}

export interface CurrentTurn {
  readonly turnId: string;
  readonly announced: boolean;
  /** 1 is the first. */
  readonly step: number;
  readonly calls: readonly OpenCall[];
  /** Moved on by the time the turn has rested: its limit counts time at work. */
  readonly startedAtMs: number;
  /** Of the agent's configuration, as the first step read it: the turn finishes as it began. */
  readonly configVersion?: number;
  /** Set while it rests between two steps. */
  readonly restingSinceMs?: number;
  /** Set once the turn is to end for another reason than the model's last word. */
  readonly end?: TurnEnd;
}

/** Where a held session comes to rest: when its turn has ended, or already before the turn's next step. */
export type RestPoint = 'turn' | 'step';

/** What the agent's configuration allows, as the latest step read it. */
export interface TurnLimits {
  readonly maxSteps: number;
  readonly maxTurnMs: number;
  /** Turns of history the model is shown. */
  readonly historyTurns: number;
}

/** All that a session's workflow carries: ids, counters and places in the log, never a text. */
export interface SessionState {
  /** Highest sequence number of the log that the workflow knows. */
  readonly head: number;
  readonly inbox: readonly QueuedTurn[];
  readonly current?: CurrentTurn;
  readonly closing: boolean;
  /** Set while the tenant is suspended: nothing new begins past this point. */
  readonly heldAt?: RestPoint;
  /** `[turnId, head when it was taken]`, oldest first. */
  readonly seen: readonly (readonly [string, number])[];
  readonly turnStarts: readonly number[];
  readonly turnCount: number;
  readonly limits: TurnLimits;
}

export type Action =
  | { readonly do: 'think'; readonly turn: CurrentTurn }
  | { readonly do: 'useTools'; readonly turn: CurrentTurn }
  | { readonly do: 'endTurn'; readonly turn: CurrentTurn; readonly end: TurnEnd }
  | { readonly do: 'close' }
  | { readonly do: 'wait' };

export const newSession: SessionState = {
  head: 0,
  inbox: [],
  closing: false,
  seen: [],
  turnStarts: [],
  turnCount: 0,
  /** Until the first step has read the agent's own. */
  limits: { maxSteps: 12, maxTurnMs: 600_000, historyTurns: 30 },
};

/** Decides what the session does next. Pure: the workflow only carries the answer out. */
export function nextAction(state: SessionState): Action {
  const { current: turn } = state;
  if (!turn) return state.closing && state.inbox.length === 0 ? { do: 'close' } : { do: 'wait' };
  if (turn.end) return { do: 'endTurn', turn, end: turn.end };
  if (turn.calls.length > 0) return { do: 'useTools', turn };
  const { maxSteps } = state.limits;
  if (turn.step > maxSteps)
    return { do: 'endTurn', turn, end: { outcome: 'max_steps', message: `The agent used all of its ${maxSteps} steps.` } };
  if (state.heldAt === 'step') return state.closing ? { do: 'endTurn', turn, end: closedWhileHeld } : { do: 'wait' };
  return { do: 'think', turn };
}

/** A tenant that leaves from its suspension leaves at once. */
const closedWhileHeld: TurnEnd = { outcome: 'cancelled', code: 'session/closed', message: 'The session closed while the tenant was suspended.' };

export const isBusy = (state: SessionState): boolean => state.current !== undefined || state.inbox.length > 0;

/** The log's head when this turn was first taken; undefined for a new one. */
export const takenAt = (state: SessionState, turnId: string): number | undefined =>
  state.seen.find(([seen]) => seen === turnId)?.[1];

/** Takes a message. The turn it opens waits for those before it. */
export function receive(state: SessionState, turnId: string): SessionState {
  return {
    ...state,
    inbox: [...state.inbox, { turnId, announcement: 'none', cancelled: false }],
    seen: [...state.seen, [turnId, state.head] as const].slice(-maxSeen),
  };
}

/** Begins the next turn when there is one and none runs. A closing session ends it unheard. */
export function beginTurn(state: SessionState, nowMs: number): SessionState {
  const [next, ...inbox] = state.inbox;
  if (state.current || !next || next.announcement === 'pending' || keepsWaiting(state)) return state;
  const end: TurnEnd | undefined = next.cancelled
    ? { outcome: 'cancelled' }
    : state.closing
      ? { outcome: 'cancelled', code: 'session/closed', message: 'The session closed before this message was read.' }
      : undefined;
  return {
    ...state,
    inbox,
    current: {
      turnId: next.turnId,
      announced: next.announcement === 'done',
      step: 1,
      calls: [],
      startedAtMs: nowMs,
      ...(end && { end }),
    },
    turnStarts: [...state.turnStarts, state.head].slice(-maxTurnStarts),
  };
}

/** Messages of a held session wait, unless it closes: then they are told so. */
const keepsWaiting = ({ heldAt, closing }: SessionState): boolean => heldAt !== undefined && !closing;

/** Lets the session come to rest; what is at work just now is finished first. */
export const hold = (state: SessionState, at: RestPoint, nowMs: number): SessionState => ({
  ...(at === 'turn' ? release(state, nowMs) : state),
  heldAt: at,
});

/** The session waits: a turn that is under way rests from now on. */
export function rest(state: SessionState, nowMs: number): SessionState {
  const { current } = state;
  return current && current.restingSinceMs === undefined ? { ...state, current: { ...current, restingSinceMs: nowMs } } : state;
}

/** Lets the session go on where it rests, with as much time as it had. */
export function release(state: SessionState, nowMs: number): SessionState {
  const { heldAt, ...released } = state;
  if (heldAt === undefined || released.current?.restingSinceMs === undefined) return released;
  const { restingSinceMs, ...turn } = released.current;
  return { ...released, current: { ...turn, startedAtMs: turn.startedAtMs + nowMs - restingSinceMs } };
}

/** Whether a held session has come to rest. */
export const isAtRest = ({ heldAt, current }: SessionState): boolean =>
  heldAt !== undefined && (current === undefined || current.restingSinceMs !== undefined);

export interface Thought {
  readonly head: number;
  /** Absent: the model asked for tools, or for another step. */
  readonly outcome?: TurnOutcome;
  /** Calls that wait for a result; those refused at once have theirs already. */
  readonly calls: readonly OpenCall[];
  readonly limits: TurnLimits;
  /** Of the configuration it was thought with. */
  readonly configVersion?: number;
}

/** The model has spoken: its tools come next, or the turn is over. */
export function recordThought(state: SessionState, thought: Thought): SessionState {
  const advanced = { ...advance(state, thought.head), limits: thought.limits };
  const { current } = advanced;
  if (!current) return advanced;
  if (thought.outcome) return finishTurn(advanced, thought.head);
  const step = thought.calls.length > 0 ? current.step : current.step + 1;
  const configVersion = current.configVersion ?? thought.configVersion;
  return { ...advanced, current: { ...current, announced: true, step, calls: thought.calls, ...(configVersion !== undefined && { configVersion }) } };
}

/** Every call of the step has its result in the log. */
export function recordTools(state: SessionState, head: number): SessionState {
  const { current } = state;
  const advanced = advance(state, head);
  return current ? { ...advanced, current: { ...current, calls: [], step: current.step + 1 } } : advanced;
}

/** What its log says of a session whose workflow has just begun: the tenant was restored. */
export function pickUp(state: SessionState, picked: PickedUp): SessionState {
  const past = new Set(picked.seen.map(([turnId]) => turnId));
  const head = Math.max(picked.head, state.head);
  const known: SessionState = {
    ...state,
    head,
    inbox: state.inbox.filter(({ turnId }) => !past.has(turnId)),
    seen: [...picked.seen, ...state.seen.filter(([turnId]) => !past.has(turnId))].slice(-maxSeen),
    turnStarts: [...picked.turnStarts, head].slice(-maxTurnStarts),
    turnCount: picked.turnCount,
  };
  if (picked.isClosed) return { ...withoutTurn(known), inbox: [], head: picked.head, closing: true };
  // A message sent again after the restore: its turn has been answered.
  return known.current && past.has(known.current.turnId) ? { ...withoutTurn(known), turnStarts: picked.turnStarts } : known;
}

function withoutTurn(state: SessionState): SessionState {
  const { current, ...rest } = state;
  return current ? rest : state;
}

/** Marks the running turn to end; the first reason stays. */
export function requestEnd(state: SessionState, end: TurnEnd): SessionState {
  return state.current ? { ...state, current: { ...state.current, end: state.current.end ?? end } } : state;
}

/** Cancels one turn, or the running one when no id is given. */
export function cancelTurn(state: SessionState, turnId: string | undefined): SessionState {
  if (turnId === undefined || state.current?.turnId === turnId) return requestEnd(state, { outcome: 'cancelled' });
  return { ...state, inbox: state.inbox.map((turn) => (turn.turnId === turnId ? { ...turn, cancelled: true } : turn)) };
}

/** The turn's `turn.completed` is in the log. */
export function finishTurn(state: SessionState, head: number): SessionState {
  const { current, ...rest } = advance(state, head);
  return { ...rest, turnCount: state.turnCount + (current ? 1 : 0) };
}

export const close = (state: SessionState): SessionState => ({ ...state, closing: true });

/** Waiting turns that nobody can see in the log yet. Only while another turn runs: else its first step says so. */
export const unannounced = (state: SessionState): string[] =>
  state.current
    ? state.inbox.flatMap((turn) => (turn.announcement === 'none' ? [turn.turnId] : [])).slice(0, maxAnnounced)
    : [];

export function announce(state: SessionState, turnIds: readonly string[], announcement: 'pending' | 'done'): SessionState {
  return { ...state, inbox: state.inbox.map((turn) => (turnIds.includes(turn.turnId) ? { ...turn, announcement } : turn)) };
}

/** Activities run side by side and may report heads in any order. */
export const advance = (state: SessionState, head: number): SessionState => ({ ...state, head: Math.max(state.head, head) });

/** Milliseconds the running turn has left; at least 1, so that it can serve as a timeout. */
export const turnTimeLeftMs = (state: SessionState, startedAtMs: number, nowMs: number): number =>
  Math.max(1, startedAtMs + state.limits.maxTurnMs - nowMs);

/** Where the log begins for the model: before the oldest turn it is shown. */
export const historyStart = (state: SessionState): number => state.turnStarts.slice(-state.limits.historyTurns)[0] ?? 0;

/** Whether something is to be done. */
export const canAct = (state: SessionState): boolean =>
  nextAction(state).do !== 'wait' ||
  (!state.current && !keepsWaiting(state) && state.inbox[0] !== undefined && state.inbox[0].announcement !== 'pending');

function stateOf(state: SessionState): 'closing' | 'paused' | 'running' | 'idle' {
  if (state.closing) return 'closing';
  if (isAtRest(state)) return 'paused';
  return isBusy(state) ? 'running' : 'idle';
}

export const viewOf = (state: SessionState) => ({
  state: stateOf(state),
  head: state.head,
  turnCount: state.turnCount,
  queuedTurns: state.inbox.length,
});

/** The session in words, as Markdown for the Temporal UI. */
export function describe(state: SessionState): string {
  const { current: turn } = state;
  const waiting = state.inbox.length > 0 ? ` ${state.inbox.length} more waiting.` : '';
  const now = isAtRest(state)
    ? `paused${turn ? ` before step ${turn.step} of turn ${state.turnCount + 1}` : ''}, as the tenant is suspended`
    : turn
    ? turn.calls.length > 0
      ? `using ${turn.calls.map((call) => `\`${call.tool}\``).join(', ')} in step ${turn.step} of turn ${state.turnCount + 1}`
      : `thinking, step ${turn.step} of turn ${state.turnCount + 1}`
    : state.closing
      ? 'closing'
      : 'waiting for the user';
  return `**Now:** ${now}.${waiting}\n\n**Turns answered:** ${state.turnCount} · **events in the log:** ${state.head}`;
}
