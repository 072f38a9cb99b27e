import { derivedId } from '../../contracts/ids';
import { errandParts } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';

interface CallPlace extends SessionRef {
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
}

/** The session that a call of another agent opens, and its turn: the same however often it is tried. */
export function errandIds({ tenantId, sessionId, turnId, step, callId }: CallPlace): { sessionId: string; turnId: string } {
  const parts = errandParts(tenantId, sessionId, turnId, step, callId);
  return { sessionId: derivedId('session', ...parts), turnId: derivedId('turn', ...parts) };
}
