import canonicalize from 'canonicalize';
import { z } from 'zod';
import { codeOf, DomainError } from '../../contracts/errors';
import { derivedId } from '../../contracts/ids';
import { Answer, AnswerBody, QuestionRecord, QuestionState } from '../../contracts/question';
import type { SessionRef } from '../../contracts/session';
import type { Tiers } from '../../contracts/tiers';
import { problemWithAnswer } from '../../domain/questions';
import type { Questions } from '../../ports/questions';
import type { SessionLog, SessionMessages } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import type { Conversations } from '../conversations';
import { checkMessage } from '../place-limits';
import { tenantRoute, type Route } from '../route';
import { SessionPath } from './paths';

/** A question with what was asked, and what was answered. */
const ShownQuestion = QuestionRecord.omit({ eventAt: true, answerId: true }).extend({
  question: z.string(),
  options: z.array(z.string()).optional(),
  multiple: z.literal(true).optional(),
  answer: Answer.optional(),
});
type ShownQuestion = z.infer<typeof ShownQuestion>;

const QuestionPath = SessionPath.extend({ questionId: z.string().min(1).max(64) });

export interface QuestionRoutesDeps {
  readonly conversations: Conversations;
  readonly questions: Questions;
  readonly log: SessionLog;
  readonly messages: SessionMessages;
  readonly sessionWorkflows: Sessions;
  readonly tiers: Tiers;
}

export const questionRoutes = (deps: QuestionRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/questions',
    summary: 'List what the agent asked the user of a session, and what they answered; asked last first',
    permission: 'read:session',
    params: SessionPath,
    query: z.object({ state: QuestionState.optional().describe('Those in this state alone. Default: all') }),
    response: z.object({ data: z.array(ShownQuestion) }),
    status: 200,
    async handle({ params, query: { state }, caller }) {
      await deps.conversations.mustRead(params, caller);
      const all = await deps.questions.ofSession(params);
      const records = all.filter((record) => state === undefined || record.state === state).sort((a, b) => b.eventAt - a.eventAt);
      return { body: { data: await Promise.all(records.map((record) => shown(deps, record))) } };
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/questions/{questionId}/answer',
    summary: 'Answer a question of the agent in a session of yours: in words, or with some of its options',
    permission: 'invoke:agent',
    params: QuestionPath,
    body: AnswerBody,
    response: ShownQuestion,
    status: 200,
    async handle({ params: { questionId, ...session }, body, caller, tenant }) {
      await deps.conversations.mustOwn(session, caller);
      if ('text' in body) checkMessage(deps.tiers, tenant, body.text);
      await give(deps, { ...session, questionId }, caller.userId, body);
      return { body: await shown(deps, await mustFind(deps, { ...session, questionId })) };
    },
  }),
];

type QuestionRef = SessionRef & { readonly questionId: string };

/** What is answered is stored first, under an id that the same answer always has. */
async function give(deps: QuestionRoutesDeps, ref: QuestionRef, userId: string, answer: Answer): Promise<void> {
  const { tenantId, sessionId, questionId } = ref;
  const session = { tenantId, sessionId };
  const { turnId, step, callId, eventAt } = await mustFind(deps, ref);
  const problem = problemWithAnswer(await askedAt(deps, session, eventAt), answer);
  if (problem !== undefined) throw new DomainError('question/bad-answer', problem);
  const answerId = derivedId('answer', tenantId, sessionId, questionId, canonicalize(answer) ?? '');
  await deps.messages.put(session, { turnId: answerId, userId, text: JSON.stringify(answer) });
  try {
    await deps.sessionWorkflows.answerQuestion(session, { questionId, answerId, userId, turnId, step, callId });
  } catch (error) {
    if (codeOf(error) !== 'question/closed') throw error;
    const now = await mustFind(deps, ref);
    // The same answer, sent again.
    if (now.answerId !== answerId) throw new DomainError('question/closed', closings[now.state], { cause: error });
  }
}

const closings: Readonly<Record<QuestionRecord['state'], string>> = {
  waiting: 'The turn that asked this has ended.',
  answered: 'It was answered already.',
  expired: 'Nobody had answered in time.',
  cancelled: 'The turn that asked this was stopped before.',
};

async function mustFind({ questions }: QuestionRoutesDeps, { questionId, ...session }: QuestionRef): Promise<QuestionRecord> {
  const record = await questions.get(session, questionId);
  if (!record) throw new DomainError('question/not-found', 'There is no such question in this session.');
  return record;
}

async function askedAt({ log }: QuestionRoutesDeps, session: SessionRef, at: number) {
  const [event] = await log.read(session, { after: at - 1, upTo: at });
  if (event?.type !== 'question.asked') throw new TypeError(`No question at ${at}`);
  const { question, options, multiple } = event;
  return { question, ...(options && { options }), ...(multiple && { multiple }) };
}

async function shown(deps: QuestionRoutesDeps, { eventAt, answerId, ...record }: QuestionRecord): Promise<ShownQuestion> {
  const [asked, answer] = await Promise.all([
    askedAt(deps, record, eventAt),
    answerId === undefined ? undefined : deps.messages.get(record, answerId).then(({ text }) => Answer.parse(JSON.parse(text))),
  ]);
  return { ...record, ...asked, ...(answer && { answer }) };
}
