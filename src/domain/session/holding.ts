import type { RestPoint, SessionState } from './state';

/** Messages of a held session wait, unless it closes: then they are told so. */
export const keepsWaiting = ({ heldAt, closing }: SessionState): boolean => heldAt !== undefined && !closing;

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
