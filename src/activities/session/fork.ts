import { Context } from '@temporalio/activity';
import type { AgentPin } from '../../contracts/agent';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { attachmentsIn } from '../../domain/attachments';
import { record, type SessionStepDeps } from './deps';
import type { Recorded } from './use-tool';

export interface CopySessionInput extends SessionRef {
  readonly userId: string;
  /** The version that the first one keeps to, and this one will. */
  readonly agent?: AgentPin;
  /** The session it begins as, and where in its log the turn ends. */
  readonly fork: { readonly sessionId: string; readonly turnId: string; readonly upTo: number };
}

export const createForkActivities = (deps: SessionStepDeps) => ({
  /**
   * Gives a fork its log and what was attached to its messages, says in it where it comes from, and lists the session: in this order, so that nobody sees one that is copied
   * in part. An attempt that died in the middle is taken up where it left off.
   *
   * @throws DomainError `session/exists` when the id belongs to another session.
   * @see docs/decisions/0087-forks.md
   */
  async copySession({ tenantId, sessionId, userId, agent, fork }: CopySessionInput): Promise<Recorded> {
    const { cancellationSignal } = Context.current();
    const to = { tenantId, sessionId };
    const { upTo, turnId: atTurn, sessionId: from } = fork;
    const attached = new Set<string>();
    await deps.log.copy({ tenantId, sessionId: from }, to, {
      upTo,
      onBatch(events) {
        cancellationSignal.throwIfAborted();
        for (const attachmentId of attachmentsIn(events)) attached.add(attachmentId);
      },
    });
    await deps.attachments.copy({ tenantId, sessionId: from }, to, [...attached], () => cancellationSignal.throwIfAborted());
    const { head, events } = await record(deps, to, { after: upTo, key: batchKeys.sessionForked(), events: [{ type: 'session.forked', from, atTurn }] });
    await deps.sessions.create({ ...to, userId, createdAt: events[0]?.at ?? new Date().toISOString(), forkedFrom: fork, ...(agent && { agent }) });
    return { head };
  },
});
