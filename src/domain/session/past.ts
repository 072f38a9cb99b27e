import type { PickedUp } from '../log-past';
import { maxSeen, maxTurnStarts, type SessionState } from './state';

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
  if (picked.isClosed) return { ...withoutTurn(known), inbox: [], head: picked.head, closing: true };
  // A message sent again after the restore: its turn has been answered.
  return known.current && past.has(known.current.turnId) ? { ...withoutTurn(known), turnStarts: picked.turnStarts } : known;
}

function withoutTurn(state: SessionState): SessionState {
  const { current, ...rest } = state;
  return current ? rest : state;
}
