import { waitsForBudget } from './budget-pause';
import { type CallPlace, changeCallAt, onlyWaitsForOthers, onlyWaitsForPeople } from './calls';
import { postponeExtractions } from './extraction';
import type { CurrentTurn, RestPoint, SessionState } from './state';

/** Messages of a held session wait, unless it closes: then they are told so. */
export const keepsWaiting = ({ heldAt, closing }: SessionState): boolean => heldAt !== undefined && !closing;

/** Lets the session come to rest; what is at work just now is finished first. */
export const hold = (state: SessionState, at: RestPoint, nowMs: number): SessionState =>
  restIfWaiting({ ...(at === 'turn' ? wake(state, nowMs) : state), heldAt: at, heldSinceMs: state.heldSinceMs ?? nowMs }, nowMs);

/** A turn that only waits, for people or for budget, rests, held or not; one that waits for other agents does where they rest, too. */
const restIfWaiting = (state: SessionState, nowMs: number): SessionState => (state.current && isWaiting(state, state.current) ? rest(state, nowMs) : state);

const isWaiting = ({ heldAt }: SessionState, turn: CurrentTurn): boolean => onlyWaitsForPeople(turn) || waitsForBudget(turn) || (heldAt === 'step' && onlyWaitsForOthers(turn));

/** Another agent works on a call from now on. */
export function recordChild(state: SessionState, place: CallPlace, nowMs: number): SessionState {
  const noted = changeCallAt(state, place, (call) => [{ ...call, isWithChild: true }]);
  return state.current?.turnId === place.turnId ? restIfWaiting(noted, nowMs) : noted;
}

/** The session waits: a turn that is under way rests from now on. */
export function rest(state: SessionState, nowMs: number): SessionState {
  const { current } = state;
  return current && current.restingSinceMs === undefined ? { ...state, current: { ...current, restingSinceMs: nowMs } } : state;
}

/** Lets the session go on where it rests, with as much time as it had. */
export function release(state: SessionState, nowMs: number): SessionState {
  const { heldAt, heldSinceMs, ...released } = state;
  if (heldAt === undefined) return released;
  const woken = postponeExtractions(wake(released, nowMs), nowMs - (heldSinceMs ?? nowMs));
  return woken.current && heldSinceMs !== undefined ? restIfWaiting({ ...woken, current: postponeExpiry(woken.current, nowMs - heldSinceMs) }, nowMs) : woken;
}

/** The turn goes on: the time it rested does not count. */
export function wake(state: SessionState, nowMs: number): SessionState {
  if (state.current?.restingSinceMs === undefined) return state;
  const { restingSinceMs, ...turn } = state.current;
  return { ...state, current: { ...turn, startedAtMs: turn.startedAtMs + nowMs - restingSinceMs } };
}

/** Nobody could decide, answer, or raise a budget, while the tenant was suspended. */
const postponeExpiry = (turn: CurrentTurn, byMs: number): CurrentTurn => ({
  ...turn,
  ...(turn.outOfBudget && { outOfBudget: { ...turn.outOfBudget, giveUpAtMs: turn.outOfBudget.giveUpAtMs + byMs } }),
  calls: turn.calls.map((call) => ({
    ...call,
    ...(call.approval && { approval: { ...call.approval, expiresAtMs: call.approval.expiresAtMs + byMs } }),
    ...(call.question && { question: { ...call.question, expiresAtMs: call.question.expiresAtMs + byMs } }),
  })),
});

/** Whether a held session has come to rest. */
export const isAtRest = ({ heldAt, current, undos }: SessionState): boolean =>
  heldAt !== undefined && !undos?.[0]?.isAtWork && (current === undefined || current.restingSinceMs !== undefined);
