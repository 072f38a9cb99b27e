import { Context } from '@temporalio/activity';
import { isStale } from '../../domain/maintenance';
import type { SessionLog } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';

export interface StaleSessionDeps {
  readonly sessionWorkflows: Sessions;
  readonly log: SessionLog;
  /** A session without an event for longer is closed. */
  readonly sessionIdleMs: number;
}

export interface ClosedSessions {
  readonly running: number;
  readonly closed: number;
}

export const createStaleSessionActivities = ({ sessionWorkflows, log, sessionIdleMs }: StaleSessionDeps) => ({
  /** Closes the tenant's idle sessions; a turn that begins meanwhile is let finish. */
  async closeStaleSessions({ tenantId }: { tenantId: string }): Promise<ClosedSessions> {
    const { cancellationSignal } = Context.current();
    let running = 0;
    let closed = 0;
    for await (const session of sessionWorkflows.running(tenantId)) {
      cancellationSignal.throwIfAborted();
      running += 1;
      const last = await log.last(session);
      if (!isStale(last?.at, { nowMs: Date.now(), idleMs: sessionIdleMs })) continue;
      await sessionWorkflows.close(session);
      closed += 1;
    }
    return { running, closed };
  },
});
