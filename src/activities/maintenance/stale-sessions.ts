import { Context } from '@temporalio/activity';
import { isStale } from '../../domain/maintenance';
import type { AuditLog } from '../../ports/audit';
import type { SessionDirectory, SessionLog } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import { closeRecord } from '../missing-end';
import { sessionPages } from '../session-pages';
import { tellChanges } from './audited';

export interface StaleSessionDeps {
  readonly sessionWorkflows: Sessions;
  readonly sessions: SessionDirectory;
  readonly log: SessionLog;
  readonly audit: AuditLog;
  /** A session without an event for longer is closed. */
  readonly sessionIdleMs: number;
}

export interface ClosedSessions {
  readonly running: number;
  readonly closed: number;
}

const pageSessions = 200;

export const createStaleSessionActivities = ({ sessionWorkflows, sessions, log, audit, sessionIdleMs }: StaleSessionDeps) => ({
  /** Closes the tenant's idle sessions; a turn that begins meanwhile is let finish. */
  async closeStaleSessions({ tenantId }: { tenantId: string }): Promise<ClosedSessions> {
    const { cancellationSignal } = Context.current();
    const isIdle = (at: string | undefined) => isStale(at, { nowMs: Date.now(), idleMs: sessionIdleMs });
    const running = new Set<string>();
    const closed: string[] = [];
    const note = ({ sessionId }: { sessionId: string }) => closed.push(`tenants/${tenantId}/sessions/${sessionId}`);
    for await (const session of sessionWorkflows.running(tenantId)) {
      cancellationSignal.throwIfAborted();
      running.add(session.sessionId);
      if (!isIdle((await log.last(session))?.at)) continue;
      await sessionWorkflows.close(session);
      note(session);
    }
    // Nobody has spoken in these since they were opened, or since their tenant was restored.
    for await (const page of sessionPages(sessions, tenantId, { limit: pageSessions }))
      for (const record of page.filter(({ sessionId, parent, closedAt, createdAt }) => !running.has(sessionId) && parent === undefined && closedAt === undefined && isIdle(createdAt))) {
        cancellationSignal.throwIfAborted();
        if (!isIdle((await log.last(record))?.at ?? record.createdAt)) continue;
        // Its workflow was terminated: it hears of nothing any more.
        if (await sessionWorkflows.hasEnded(record)) await closeRecord({ sessions, log }, record);
        else await sessionWorkflows.close(record, record);
        note(record);
      }
    await tellChanges(audit, { tenantId, job: 'stale_sessions', objects: closed });
    return { running: running.size, closed: closed.length };
  },
});
