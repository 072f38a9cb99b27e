import { Context } from '@temporalio/activity';
import { isStale } from '../../domain/maintenance';
import type { AuditLog } from '../../ports/audit';
import type { SessionLog } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import { tellChanges } from './audited';

export interface StaleSessionDeps {
  readonly sessionWorkflows: Sessions;
  readonly log: SessionLog;
  readonly audit: AuditLog;
  /** A session without an event for longer is closed. */
  readonly sessionIdleMs: number;
}

export interface ClosedSessions {
  readonly running: number;
  readonly closed: number;
}

export const createStaleSessionActivities = ({ sessionWorkflows, log, audit, sessionIdleMs }: StaleSessionDeps) => ({
  /** Closes the tenant's idle sessions; a turn that begins meanwhile is let finish. */
  async closeStaleSessions({ tenantId }: { tenantId: string }): Promise<ClosedSessions> {
    const { cancellationSignal } = Context.current();
    let running = 0;
    const closed: string[] = [];
    for await (const session of sessionWorkflows.running(tenantId)) {
      cancellationSignal.throwIfAborted();
      running += 1;
      const last = await log.last(session);
      if (!isStale(last?.at, { nowMs: Date.now(), idleMs: sessionIdleMs })) continue;
      await sessionWorkflows.close(session);
      closed.push(`tenants/${tenantId}/sessions/${session.sessionId}`);
    }
    await tellChanges(audit, { tenantId, job: 'stale_sessions', objects: closed });
    return { running, closed: closed.length };
  },
});
