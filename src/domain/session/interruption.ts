import type { OnBusy } from '../../contracts/session';
import { receive, steer } from './inbox';
import type { SessionState, TurnEnd } from './state';

/** Takes a message the way its sender wants it. One that may be rejected was not, if it gets here. */
export function take(state: SessionState, { turnId, onBusy, unattended }: { turnId: string; onBusy: OnBusy; unattended?: true }): SessionState {
  if (onBusy === 'steer') return steer(state, turnId);
  if (onBusy === 'interrupt') return interrupt(state, turnId);
  return receive(state, turnId, unattended && { unattended });
}

/** Marks the running turn to end; the first reason stays. */
export function requestEnd(state: SessionState, end: TurnEnd): SessionState {
  return state.current ? { ...state, current: { ...state.current, end: state.current.end ?? end } } : state;
}

/** Takes a message that stops the running turn. Its own runs next, ahead of all that wait but those that interrupted before it. */
const interrupt = (state: SessionState, turnId: string): SessionState =>
  requestEnd(receive(state, turnId, { precedence: 'interrupts' }), { outcome: 'interrupted', message: 'The user interrupted with another message.' });

/** Cancels one turn, or the running one when no id is given. */
export function cancelTurn(state: SessionState, turnId: string | undefined): SessionState {
  if (turnId === undefined || state.current?.turnId === turnId) return requestEnd(state, { outcome: 'cancelled' });
  return { ...state, inbox: state.inbox.map((turn) => (turn.turnId === turnId ? { ...turn, cancelled: true } : turn)) };
}

export const close = (state: SessionState): SessionState => ({ ...state, closing: true });
