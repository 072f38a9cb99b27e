import { DomainError } from '../contracts/errors';
import type { SessionRef } from '../contracts/session';
import type { SessionLog } from '../ports/session-store';

/**
 * Where a turn ends in the log of its session: a fork begins with all up to there.
 * @throws DomainError `turn/not-found`; `turn/running` while it has no end.
 */
export async function forkPoint(log: SessionLog, session: SessionRef, turnId: string): Promise<number> {
  const ofTurn: { firstSeq: number; count: number }[] = [];
  // Keys of batches begin with the turn's id: nothing has to be opened.
  for await (const { firstSeq, count, key } of log.outline(session)) if (key.startsWith(`${turnId}/`)) ofTurn.push({ firstSeq, count });
  if (ofTurn.length === 0) throw new DomainError('turn/not-found', 'There is no such turn in this session.');
  // What came behind its end (what became of a webhook) is not the turn's any more.
  for (const { firstSeq, count } of ofTurn.reverse()) {
    const upTo = firstSeq + count - 1;
    const events = await log.read(session, { after: firstSeq - 1, upTo });
    if (events.some((event) => event.type === 'turn.completed' && event.turnId === turnId)) return upTo;
  }
  throw new DomainError('turn/running', 'The turn has not ended: a session can be forked where a turn has ended.');
}
