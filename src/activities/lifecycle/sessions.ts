import { Context } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import { derivedId } from '../../contracts/ids';
import type { DrainedSessions } from '../../contracts/operation';
import type { SessionRef, TurnOutcome } from '../../contracts/session';
import { type DrainStage, drainStageAt } from '../../domain/draining';
import type { TenantData } from '../../ports/provisioning';
import type { SessionDirectory, SessionLog, SessionMessages } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import { closeRecord } from '../missing-end';
import { sessionPages } from '../session-pages';
import { pauses } from './waiting';

export interface LifecycleSessionDeps {
  readonly sessionWorkflows: Sessions;
  readonly sessions: SessionDirectory;
  readonly log: SessionLog;
  readonly messages: SessionMessages;
  readonly data: TenantData;
}

const smokeUser = 'smoke';
const smokeText = 'This is a test of the connection. Answer with one word.';
const recordsPerPage = 500;
/** Temporal's list of running workflows lags behind: a session is gone when it is not in it twice. */
const quietLooks = 2;

/** Sessions as the lifecycle of a tenant sees them: proof that it works, and work to be ended before it leaves. */
export const createSessionLifecycleActivities = (deps: LifecycleSessionDeps) => ({
  /**
   * Holds one turn through the tenant's own queue, as a user would, and closes the session. One that no budget is left for proves enough: a tenant that is restored with what it had
   * spent must come back.
   * @throws DomainError `turn/failed` with what came of the turn instead of an answer.
   */
  async holdSmokeTurn({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<void> {
    const session = { tenantId, sessionId: derivedId('session', operationId, smokeUser) };
    const turnId = derivedId('turn', operationId, smokeUser);
    await deps.sessions.create({ ...session, userId: smokeUser, createdAt: new Date().toISOString() });
    await deps.messages.put(session, { turnId, userId: smokeUser, text: smokeText });
    const { after } = await deps.sessionWorkflows.submit(session, { turnId, userId: smokeUser, onBusy: 'enqueue' });
    const { outcome, message } = await outcomeOf(deps.log, session, { turnId, after });
    if (outcome !== 'completed' && outcome !== 'budget_exhausted') throw new DomainError('turn/failed', `The first conversation was not answered (${outcome}): ${message ?? 'no reason given'}`);
    await deps.sessionWorkflows.close(session);
  },

  /**
   * Ends the tenant's sessions and returns when none runs: each is asked to close after its turn, which one that waits
   * for a person does at once; at `cancelTurnsAt` running turns are cancelled; a session that still does not end half a
   * minute later is terminated. What was not closed in order is closed in the log: nothing is left open in a backup.
   * While the log cannot be read nothing is terminated: with its key back the session ends in order, whatever became of the offboarding.
   *
   * @param input - `cancelTurnsAt` is an ISO time; a retry keeps to it.
   */
  async drainSessions({ tenantId, cancelTurnsAt }: { tenantId: string; cancelTurnsAt: string }): Promise<DrainedSessions> {
    const cancelAtMs = Date.parse(cancelTurnsAt);
    const pause = pauses();
    for (let quiet = 0; quiet < quietLooks; ) {
      const ended = await endRunning(deps, tenantId, drainStageAt(Date.now(), cancelAtMs));
      quiet = ended === 0 ? quiet + 1 : 0;
      await pause();
    }
    return closeOpenRecords(deps, tenantId);
  },

  /**
   * Draining may have stopped between ending a session's workflow and writing its end, which nobody else would write. Sessions that
   * still run, or that nobody has spoken in, stay as they are. A tenant whose key is lost is left alone: nothing can be written, and
   * it must be free to leave without a backup.
   */
  async closeEndedSessions({ tenantId }: { tenantId: string }): Promise<void> {
    if ((await deps.data.key(tenantId)).keyState !== 'Enabled') return;
    for await (const page of sessionPages(deps.sessions, tenantId, { limit: recordsPerPage }))
      for (const { sessionId, closedAt } of page) {
        Context.current().cancellationSignal.throwIfAborted();
        const session = { tenantId, sessionId };
        if (closedAt === undefined && (await deps.sessionWorkflows.hasEnded(session))) await closeRecord(deps, session);
      }
  },

  /** Ends what the smoke turn may have left, at once: what it would write is about to be deleted. */
  async terminateSessions({ tenantId }: { tenantId: string }): Promise<void> {
    for await (const session of deps.sessionWorkflows.running(tenantId)) await deps.sessionWorkflows.terminate(session);
  },
});

/** @returns how many sessions ran. */
async function endRunning({ sessionWorkflows: workflows, log }: LifecycleSessionDeps, tenantId: string, stage: DrainStage): Promise<number> {
  let running = 0;
  for await (const session of workflows.running(tenantId)) {
    running += 1;
    if (stage === 'terminate') {
      await log.read(session, { after: 0, limit: 1 });
      await workflows.terminate(session);
    } else {
      await workflows.close(session);
      if (stage === 'cancel') await workflows.cancel(session);
    }
  }
  return running;
}

/** Goes through all sessions of the tenant: those without an end get one. */
async function closeOpenRecords(deps: LifecycleSessionDeps, tenantId: string): Promise<DrainedSessions> {
  const drained = { closed: 0, cutOff: 0 };
  for await (const page of sessionPages(deps.sessions, tenantId, { limit: recordsPerPage }))
    for (const { sessionId, closedAt } of page) {
      drained.closed += 1;
      if (closedAt === undefined && (await closeRecord(deps, { tenantId, sessionId }))) drained.cutOff += 1;
    }
  return drained;
}

/** What came of a turn, or will when nobody gives it more to spend. */
async function outcomeOf(log: SessionLog, session: SessionRef, { turnId, after }: { turnId: string; after: number }): Promise<{ outcome: TurnOutcome; message?: string | undefined }> {
  const pause = pauses();
  for (let cursor = after; ; ) {
    const events = await log.read(session, { after: cursor });
    for (const event of events) {
      if (event.type === 'turn.completed' && event.turnId === turnId) return event;
      if (event.type === 'budget.exhausted' && event.turnId === turnId) return { outcome: 'budget_exhausted' };
    }
    cursor = events.at(-1)?.seq ?? cursor;
    await pause();
  }
}
