import { omit } from '../omit';
import { advance, type SessionState, type Undo, type UndoCall } from './state';

/** Undos that may wait in one session. */
export const maxUndos = 16;

/** A turn that has ended is to be taken back: before the next one begins. The same request again changes nothing. */
export const requestUndo = (state: SessionState, { undoId, turnId, upTo }: Pick<Undo, 'undoId' | 'turnId' | 'upTo'>): SessionState =>
  isUndoing(state, undoId) ? state : { ...state, undos: [...(state.undos ?? []), { undoId, turnId, upTo }] };

export const isUndoing = ({ undos }: SessionState, undoId: string): boolean => undos?.some((undo) => undo.undoId === undoId) ?? false;

/** Between turns. While the tenant is suspended it waits, unless the session closes: then the log is told that it was not done. */
export const nextUndo = ({ current, undos, heldAt, closing }: SessionState): Undo | undefined => (current || (heldAt !== undefined && !closing) ? undefined : undos?.[0]);

export const beginUndoing = (state: SessionState): SessionState => changeFirst(state, (undo) => ({ ...undo, isAtWork: true }));

/** What is to be taken back is known. */
export const planUndo = (state: SessionState, calls: readonly UndoCall[]): SessionState => changeFirst(state, (undo) => ({ ...omit(undo, 'isAtWork'), calls }));

/** The log has what became of the first call. */
export const recordUndone = (state: SessionState, head: number): SessionState =>
  changeFirst(advance(state, head), (undo) => ({ ...omit(undo, 'isAtWork'), calls: (undo.calls ?? []).slice(1) }));

export function finishUndo(state: SessionState, head: number): SessionState {
  const { undos = [], ...rest } = advance(state, head);
  return undos.length > 1 ? { ...rest, undos: undos.slice(1) } : rest;
}

function changeFirst(state: SessionState, change: (undo: Undo) => Undo): SessionState {
  const [first, ...others] = state.undos ?? [];
  return first ? { ...state, undos: [change(first), ...others] } : state;
}
