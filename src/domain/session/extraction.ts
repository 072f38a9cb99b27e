import { advance, type CurrentTurn, type Extraction, type SessionState } from './state';

/** Turns whose facts may wait in one session: so many end within the hour that a memory or a model may be away. */
export const maxExtractions = 100;
const triedForMs = 60 * 60_000;

/** The turn has ended at the log's head. With as many waiting as may, it gets none. */
export function awaitExtraction(state: SessionState, { turnId, step, configVersion }: CurrentTurn, nowMs: number): SessionState {
  const { extractions = [], head: upTo } = state;
  if (extractions.length >= maxExtractions) return state;
  const extraction = { turnId, step, after: state.turnStarts.at(-1) ?? 0, upTo, giveUpAtMs: nowMs + triedForMs, ...(configVersion !== undefined && { configVersion }) };
  return { ...state, extractions: [...extractions, extraction] };
}

/** What is to be extracted now: one turn after the other. While the tenant is suspended nothing is. */
export const nextExtraction = ({ extractions, heldAt }: SessionState): Extraction | undefined => (heldAt === undefined ? extractions?.[0] : undefined);

export function endExtraction(state: SessionState, turnId: string, head: number): SessionState {
  const { extractions = [], ...rest } = advance(state, head);
  const left = extractions.filter((extraction) => extraction.turnId !== turnId);
  return left.length === 0 ? rest : { ...rest, extractions: left };
}

/** No worker worked for the tenant while it was suspended. */
export const postponeExtractions = (state: SessionState, byMs: number): SessionState =>
  state.extractions ? { ...state, extractions: state.extractions.map((extraction) => ({ ...extraction, giveUpAtMs: extraction.giveUpAtMs + byMs })) } : state;
