import type { EventBody, SessionEvent } from '../../contracts/events';
import { derivedId } from '../../contracts/ids';
import { type Question, type QuestionRecord, usualQuestionSeconds } from '../../contracts/question';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import type { PendingQuestion } from '../../domain/session';

type QuestionAsked = Extract<EventBody, { type: 'question.asked' }>;

/** A call that asks the user. */
interface AskingCall extends SessionRef {
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
  readonly tool: string;
}

/** Asks the user, for as long as the agent's configuration says. */
export function questionAsked(call: AskingCall, { question, options, multiple }: Question, { questionSeconds = usualQuestionSeconds }: Pick<AgentConfig, 'questionSeconds'>, nowMs: number): QuestionAsked {
  const { tenantId, sessionId, turnId, step, callId, tool } = call;
  return {
    type: 'question.asked',
    turnId,
    step,
    callId,
    tool,
    questionId: derivedId('question', tenantId, sessionId, turnId, String(step), callId),
    question,
    ...(options && { options }),
    ...(options && multiple && { multiple }),
    expiresAt: new Date(nowMs + questionSeconds * 1_000).toISOString(),
  };
}

/** What the workflow keeps of it. */
export const pendingQuestion = ({ questionId, seq, expiresAt }: SessionEvent & QuestionAsked): PendingQuestion => ({ questionId, askedAt: seq, expiresAtMs: Date.parse(expiresAt) });

/** What lists show of it. */
export const questionRecord = ({ tenantId, sessionId }: SessionRef, event: SessionEvent & QuestionAsked): QuestionRecord => {
  const { questionId, turnId, step, callId, seq, at, expiresAt } = event;
  return { questionId, tenantId, sessionId, turnId, step, callId, eventAt: seq, askedAt: at, expiresAt, state: 'waiting' };
};
