import { publicFailure } from '../contracts/errors';
import * as domain from '../domain/session';
import type { OpenSession } from './open-session';

/** One piece of an undo: what is to be taken back, a call, or the end. Nothing cancels it, and a session can continue as new between two of them. */
export async function carryOutUndo(session: OpenSession, { undoId, turnId, upTo, calls }: domain.Undo): Promise<void> {
  const { ref, userId, activities } = session;
  const of = { ...ref, userId, undoId, turnId, upTo };
  if (!calls) {
    const planned = await activities.planUndo(of).catch((error: unknown) => publicFailure(error, 'dependency/unavailable'));
    if ('calls' in planned) session.state = domain.planUndo(session.state, planned.calls);
    else {
      const { head } = await activities.endUndo({ ...of, failure: planned });
      session.state = domain.finishUndo(session.state, head);
    }
    return;
  }
  const [call] = calls;
  const { head } = call ? await undoCall(session, { ...of, call }) : await activities.endUndo(of);
  session.state = call ? domain.recordUndone(session.state, head) : domain.finishUndo(session.state, head);
}

/** What fails for good is said in the log, and what was done before it is taken back all the same. */
async function undoCall({ state, activities }: OpenSession, input: Parameters<OpenSession['activities']['undoTool']>[0]): Promise<{ head: number }> {
  // Only of a session that closes: any other waits until its tenant is back.
  if (state.heldAt !== undefined && state.closing) return activities.failUndo({ ...input, ...closedWhileHeld });
  try {
    return await activities.undoTool(input);
  } catch (error) {
    return activities.failUndo({ ...input, ...publicFailure(error, 'tool/failed') });
  }
}

const closedWhileHeld = { code: 'session/closed', message: 'The session closed while the tenant was suspended.' } as const;
