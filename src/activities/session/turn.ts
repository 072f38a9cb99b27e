import type { EventBody, SessionEvent } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { TurnEnd } from '../../domain/session';
import { type LogPast, pastOf, type PickedUp, stateOf, tellsOfMore } from '../../domain/log-past';
import { cancelledQuestion, openQuestions, unanswered } from '../../domain/questions';
import { cancelledApproval, openApprovals, openCalls } from '../../domain/transcript';
import { record, type SessionStepDeps, type TurnInput, unread } from './deps';
import { closeBudget } from './step-budget';
import { sessionStarted } from './step-opening';
import type { Recorded } from './use-tool';

export interface AnnounceTurnsInput extends SessionRef {
  /** At least one, at most `maxAnnounced`. */
  readonly turnIds: readonly string[];
  readonly after: number;
}

/** `after` is where the log stood when the turn began. */
export interface EndTurnInput extends TurnInput {
  readonly announced: boolean;
  readonly end: TurnEnd;
  /** Messages that were on their way into the turn. */
  readonly steering?: readonly string[];
}

export interface EndedTurn extends Recorded {
  /** Of the messages on their way into the turn those that did not get there. */
  readonly unseen: readonly string[];
  /** Whether its answer had been written when it was to end. */
  readonly completed?: true;
}

export interface PickUpInput extends SessionRef {
  /** Turns the workflow knows: they run or wait. */
  readonly known: readonly string[];
}

const cutOff: TurnEnd = { outcome: 'cancelled', message: 'The turn had not ended when the session was restored, or another began with it.' };

export const createTurnActivities = (deps: SessionStepDeps) => {
  const activities = turnActivities(deps);
  return {
    ...activities,

    /**
     * Learns from its log where a session stands whose workflow has just begun. Turns that were cut off when the log was
     * backed up end as cancelled, so that each turn of the log has its end.
     */
    async pickUpSession({ known, ...session }: PickUpInput): Promise<PickedUp> {
      const past = await pastOf(deps.log.outline(session));
      if (past.isClosed) return stateOf(past, past.head);
      let { head } = past;
      for (const { turnId, after } of await openTurns(deps, session, past, known)) ({ head } = await activities.endTurn({ ...session, turnId, after, announced: true, end: cutOff }));
      return stateOf(past, head);
    },
  };
};

/** Those that may lack their end: the last that began, also when its message is what was sent again, and those that waited behind it, unless they wait again. */
async function openTurns({ log }: SessionStepDeps, session: SessionRef, { turns, queuedAt, head }: LogPast, known: readonly string[]): Promise<{ turnId: string; after: number }[]> {
  const skipped = new Set([...known, ...turns.map(({ turnId }) => turnId)]);
  const waiting: string[] = [];
  for (const firstSeq of queuedAt) {
    const batch = await log.read(session, { after: firstSeq - 1, limit: 1 });
    waiting.push(...batch.flatMap((event) => (event.type === 'turn.queued' && !skipped.has(event.turnId) ? [event.turnId] : [])));
  }
  return [...turns.slice(-1), ...[...new Set(waiting)].map((turnId) => ({ turnId, after: head }))];
}

const turnActivities = (deps: SessionStepDeps) => ({
  /** Shows messages that wait while another turn runs. */
  async announceTurns({ turnIds, after, ...session }: AnnounceTurnsInput): Promise<Recorded> {
    const events = turnIds.map((turnId): EventBody => ({ type: 'turn.queued', turnId }));
    const { head } = await record(deps, session, { after, key: batchKeys.turnsQueued(turnIds[0] ?? ''), events });
    return { head };
  },

  /**
   * Ends a turn that the model did not end itself: open tool requests get their result, and the log its
   * `turn.completed`. When a lost attempt ended the turn after all, that end stands.
   *
   * @throws DomainError `log/unread`
   */
  async endTurn({ turnId, announced, after, end, agent, steering = [], ...session }: EndTurnInput): Promise<EndedTurn> {
    const events = await deps.log.read(session, { after });
    if (after === 0 && tellsOfMore(events, turnId)) throw unread();
    const ofTurn = events.filter((event) => 'turnId' in event && event.turnId === turnId);
    const head = events.at(-1)?.seq ?? after;
    const unseen = steering.filter((messageId) => !ofTurn.some((event) => event.type === 'turn.steered' && event.messageId === messageId));
    await closeBudget(deps, { ...session, turnId }, ofTurn);
    const earlier = ofTurn.find((event) => event.type === 'turn.completed');
    if (earlier) {
      await listCancelled(deps, session, ofTurn);
      return { head, unseen, ...(earlier.outcome === 'completed' && { completed: true }) };
    }
    const isBegun = after > 0 || events.some(({ type }) => type === 'session.started');
    const isQueued = announced || ofTurn.some((event) => event.type === 'turn.queued');
    const written = await record(deps, session, {
      after: head,
      key: batchKeys.turnCompleted(turnId),
      // A lost attempt may write its result just now: then this reads again.
      onlyAtHead: true,
      events: [
        ...(isBegun ? [] : [sessionStarted(agent)]),
        ...(isQueued ? [] : [{ type: 'turn.queued', turnId } as const]),
        ...openApprovals(ofTurn).map(cancelledApproval),
        ...openQuestions(ofTurn).map(cancelledQuestion),
        ...openCalls(ofTurn).map(
          ({ step, callId, tool }): EventBody => ({
            type: 'tool.failed',
            turnId,
            step,
            callId,
            tool,
            code: end.code ?? `turn/${end.outcome}`,
            message: openQuestions(ofTurn).some((question) => question.callId === callId) ? unanswered(end.outcome) : unfinished(end, hasStarted(ofTurn, callId)),
          }),
        ),
        { type: 'turn.completed', turnId, ...end },
      ],
    });
    await listCancelled(deps, session, written.events);
    return { head: written.head, unseen };
  },

  /** Writes the last event, and notes the end in the tenant's list of sessions. It is not at work any more. @throws DomainError `log/unread` */
  async closeSession({ after, ...session }: SessionRef & { readonly after: number }): Promise<Recorded> {
    const [first] = after === 0 ? await deps.log.read(session, { after, limit: 1 }) : [];
    if (first && first.type !== 'session.closed') throw unread();
    const { events, head } = await record(deps, session, { after, key: batchKeys.sessionClosed(), events: [{ type: 'session.closed' }] });
    const closed = await deps.sessions.close(session, events[0]?.at ?? new Date().toISOString());
    if (closed) await deps.places.leave({ tenantId: closed.tenantId, thing: 'sessions', userId: closed.userId, id: closed.sessionId });
    return { head };
  },
});

const hasStarted = (events: readonly EventBody[], callId: string): boolean => events.some((event) => event.type === 'tool.started' && event.callId === callId);

/** What the model is told of a call without a result. */
const unfinished = ({ outcome }: TurnEnd, isStarted: boolean): string =>
  `${outcome === 'interrupted' ? 'The user interrupted' : 'The turn ended'} before this tool ${isStarted ? 'answered. It may have taken effect.' : 'began. It had no effect.'}`;

/** Lists show that these approvals and questions went with their turn. */
async function listCancelled({ approvals, questions }: SessionStepDeps, session: SessionRef, events: readonly SessionEvent[]): Promise<void> {
  for (const event of events)
    if (event.type === 'question.closed' && event.reason === 'cancelled') await questions.end(session, event.questionId, { state: 'cancelled', at: event.at });
    else if (event.type === 'approval.decided' && event.decision === 'cancelled') await approvals.decide(session, event.approvalId, { decision: 'cancelled', by: [], at: event.at });
}
