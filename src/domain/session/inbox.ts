import { keepsWaiting } from './holding';
import { maxAnnounced, maxSeen, maxSteering, maxTurnStarts, type CurrentTurn, type Precedence, type QueuedTurn, type SessionState, type TurnEnd } from './state';
import { nextUndo } from './undo';

/**
 * Takes a message. The turn it opens waits for those before it.
 * @param as - `precedence`: it waits behind those of its own precedence only. `unattended`: nobody wrote it just now, and its turn has nobody to ask.
 */
export const receive = (state: SessionState, turnId: string, as: Pick<QueuedTurn, 'precedence' | 'steers' | 'unattended'> = {}): SessionState =>
  insert(remember(state, turnId), { ...queued(turnId), ...as });

/**
 * Takes a message for the running turn, which sees it at its next step. Is there none, or does it end before, then the
 * message is a turn of its own, ahead of those that wait.
 */
export const steer = (state: SessionState, turnId: string): SessionState =>
  receive(state, turnId, state.current && { precedence: 'steers', steers: state.current.turnId });

const queued = (turnId: string): QueuedTurn => ({ turnId, announcement: 'none', cancelled: false });

const remember = (state: SessionState, turnId: string): SessionState => ({
  ...state,
  seen: [...state.seen, [turnId, state.head] as const].slice(-maxSeen),
});

const rankOf = ({ precedence }: QueuedTurn): number => ranks[precedence ?? 'none'];
const ranks: Readonly<Record<Precedence | 'none', number>> = { interrupts: 0, steers: 1, none: 2 };

/** Behind those of its own precedence: what came first goes first. */
function insert(state: SessionState, turn: QueuedTurn): SessionState {
  const { inbox } = state;
  const place = inbox.findIndex((waiting) => rankOf(waiting) > rankOf(turn));
  return { ...state, inbox: place < 0 ? [...inbox, turn] : [...inbox.slice(0, place), turn, ...inbox.slice(place)] };
}

/** Messages that the step about to be thought takes in. */
export function takeSteering(state: SessionState): SessionState {
  const { current } = state;
  if (!current) return state;
  const taken = state.inbox.filter((turn) => joins(current, turn)).slice(0, maxSteering - (current.steering?.length ?? 0));
  if (taken.length === 0) return state;
  const steering = [...(current.steering ?? []), ...taken.map(({ turnId }) => turnId)];
  return { ...state, inbox: state.inbox.filter((turn) => !taken.includes(turn)), current: { ...current, steering } };
}

const joins = (current: CurrentTurn | undefined, { steers, cancelled }: QueuedTurn): boolean => steers !== undefined && steers === current?.turnId && !cancelled;

/** Messages that were on their way into a turn that has ended without them: each is a turn of its own. */
export const giveBack = (state: SessionState, turnIds: readonly string[]): SessionState =>
  // The last one first: all go in front of those that came after them.
  turnIds.reduceRight((before, turnId) => putFirst(before, { ...queued(turnId), precedence: 'steers' }), state);

function putFirst(state: SessionState, turn: QueuedTurn): SessionState {
  const place = state.inbox.filter((waiting) => rankOf(waiting) < rankOf(turn)).length;
  return { ...state, inbox: [...state.inbox.slice(0, place), turn, ...state.inbox.slice(place)] };
}

/** Begins the next turn when there is one and none runs. A closing session ends it unheard. */
export function beginTurn(state: SessionState, nowMs: number): SessionState {
  const [next, ...inbox] = state.inbox;
  if (state.current || !next || next.announcement === 'pending' || keepsWaiting(state) || nextUndo(state)) return state;
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
      ...(next.unattended && { unattended: true }),
      ...(end && { end }),
    },
    turnStarts: [...state.turnStarts, state.head].slice(-maxTurnStarts),
  };
}

/** Waiting turns that nobody can see in the log yet. Only while another turn runs: else its first step says so. */
export const unannounced = (state: SessionState): string[] =>
  state.current
    ? state.inbox.flatMap((turn) => (turn.announcement === 'none' && !joins(state.current, turn) ? [turn.turnId] : [])).slice(0, maxAnnounced)
    : [];

export function announce(state: SessionState, turnIds: readonly string[], announcement: 'pending' | 'done'): SessionState {
  return { ...state, inbox: state.inbox.map((turn) => (turnIds.includes(turn.turnId) ? { ...turn, announcement } : turn)) };
}
