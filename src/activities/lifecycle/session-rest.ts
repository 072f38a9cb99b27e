import type { SessionRef } from '../../contracts/session';
import type { SuspendTurns } from '../../contracts/operation';
import { inParallel } from '../../domain/in-parallel';
import type { Sessions } from '../../ports/sessions';
import { beat } from '../beat';
import { pauses } from './waiting';

/** Temporal's list of running workflows lags behind: nothing new came when two looks found nothing. */
const quietLooks = 2;
/** Sessions spoken with at once. */
const sideBySide = 20;

/** A suspended tenant's sessions rest; a resumed one's go on. */
export const createSessionRestActivities = ({ sessionWorkflows }: { readonly sessionWorkflows: Sessions }) => ({
  /** Brings every session to rest, and returns when none works any more: with `finish` after its turn, with `pause` before its next step. */
  async restSessions({ tenantId, turns }: { tenantId: string; turns: SuspendTurns }): Promise<void> {
    await untilAll(sessionWorkflows, tenantId, async (session) => {
      await sessionWorkflows.hold(session, turns === 'pause' ? 'step' : 'turn');
      const { state } = await sessionWorkflows.status(session);
      return state === 'paused' || state === 'closed';
    });
  },

  /** Lets every session go on where it rests. */
  async wakeSessions({ tenantId }: { tenantId: string }): Promise<void> {
    await untilAll(sessionWorkflows, tenantId, async (session) => {
      await sessionWorkflows.release(session);
      return true;
    });
  },
});

/** Does something with each running session until that is done, and until no other session shows up. */
async function untilAll(workflows: Sessions, tenantId: string, isDone: (session: SessionRef) => Promise<boolean>): Promise<void> {
  const done = new Set<string>();
  const pause = pauses();
  for (let quiet = 0; quiet < quietLooks; ) {
    const open: SessionRef[] = [];
    for await (const session of workflows.running(tenantId)) if (!done.has(session.sessionId)) open.push(session);
    await inParallel(open, sideBySide, async (session) => (await isDone(session)) && done.add(session.sessionId));
    quiet = open.length === 0 ? quiet + 1 : 0;
    beat(`${done.size} sessions done, ${open.length} at the last look`);
    await pause();
  }
}
