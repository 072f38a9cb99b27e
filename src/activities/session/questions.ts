import type { EventBody } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import { Answer } from '../../contracts/question';
import { expiredResult, resultOfAnswer } from '../../domain/questions';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import type { Recorded } from './use-tool';

export interface SettleQuestionInput extends TurnInput {
  readonly step: number;
  readonly callId: string;
  readonly tool: string;
  readonly questionId: string;
  /** Where it is in the log. */
  readonly askedAt: number;
  /** Under which the answer is stored; absent: nobody answered in time. */
  readonly answerId?: string;
}

export const createQuestionActivities = (deps: SessionStepDeps) => ({
  /**
   * Writes the user's answer, or that there is none, and with it the result of the call that asked; then the list follows.
   *
   * @throws DomainError `turn/ended` when the turn was stopped before this was written.
   */
  async settleQuestion(input: SettleQuestionInput): Promise<Recorded> {
    const { tenantId, sessionId, turnId, step, callId, questionId, after, answerId } = input;
    const session = { tenantId, sessionId };
    const { events, head } = await record(deps, session, {
      after,
      key: batchKeys.toolCompleted(turnId, step, callId),
      events: answerId === undefined ? expiry(input) : await answering(deps, { ...input, answerId }),
      notBehind: batchKeys.turnCompleted(turnId),
    });
    await deps.questions.end(session, questionId, { state: answerId === undefined ? 'expired' : 'answered', at: events[0]?.at ?? '', ...(answerId !== undefined && { answerId }) });
    return { head };
  },
});

const callOf = ({ turnId, step, callId, tool }: SettleQuestionInput) => ({ turnId, step, callId, tool });

const expiry = (input: SettleQuestionInput): EventBody[] => [
  { type: 'question.closed', ...callOf(input), questionId: input.questionId, reason: 'expired' },
  { type: 'tool.failed', ...callOf(input), ...expiredResult },
];

async function answering({ log, messages }: SessionStepDeps, input: SettleQuestionInput & { readonly answerId: string }): Promise<EventBody[]> {
  const { tenantId, sessionId, questionId, askedAt, answerId } = input;
  const session = { tenantId, sessionId };
  const [[question], { text }] = await Promise.all([log.read(session, { after: askedAt - 1, upTo: askedAt }), messages.get(session, answerId)]);
  if (question?.type !== 'question.asked') throw new TypeError(`No question at ${askedAt}`);
  const answer = Answer.parse(JSON.parse(text));
  return [
    { type: 'question.answered', ...callOf(input), questionId, answer },
    { type: 'tool.completed', ...callOf(input), output: resultOfAnswer(question, answer) },
  ];
}
