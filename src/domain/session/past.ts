import type { PickedUp } from '../log-past';
import { requestEnd } from './interruption';
import { maxSeen, maxTurnStarts, type SessionState, type TurnEnd } from './state';

/** What its log says of a session whose workflow has just begun: the tenant was restored. */
export function pickUp(state: SessionState, picked: PickedUp): SessionState {
  const past = new Set(picked.seen.map(([turnId]) => turnId));
  const head = Math.max(picked.head, state.head);
  const known: SessionState = {
    ...state,
    head,
    inbox: state.inbox.filter(({ turnId }) => !past.has(turnId)),
    seen: [...picked.seen, ...state.seen.filter(([turnId]) => !past.has(turnId))].slice(-maxSeen),
    turnStarts: state.current ? [...picked.turnStarts, head].slice(-maxTurnStarts) : picked.turnStarts,
    turnCount: picked.turnCount,
    ...(picked.compaction && { compaction: picked.compaction }),
  };
  // A message sent again after the restore: its turn has been answered.
  const answered = known.current && past.has(known.current.turnId) ? { ...withoutTurn(known), turnStarts: picked.turnStarts } : known;
  return picked.isClosed ? { ...requestEnd(answered, closedBefore), head: picked.head, closing: true } : answered;
}

const closedBefore: TurnEnd = { outcome: 'cancelled', code: 'session/closed', message: 'The session had closed before this message came.' };

/** As runs of before took a closed session up: what they had taken they forgot. */
export const withoutTurns = (state: SessionState): SessionState => ({ ...withoutTurn(state), inbox: [] });

function withoutTurn(state: SessionState): SessionState {
  const { current, ...rest } = state;
  return current ? rest : state;
}
