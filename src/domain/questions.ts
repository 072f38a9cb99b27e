import type { Answer, Question } from '../contracts/question';
import type { EventBody, SessionEvent } from '../contracts/events';
import type { JsonValue } from '../contracts/model';
import type { TurnOutcome } from '../contracts/session';

/** What is wrong with an answer to this question, in words for who gave it; undefined when nothing is. */
export function problemWithAnswer({ options, multiple = false }: Question, answer: Answer): string | undefined {
  if (!options) return 'text' in answer ? undefined : 'This question has no options: answer with text.';
  if ('text' in answer) return `Answer with choices, of these: ${options.join('; ')}.`;
  const { choices } = answer;
  const unknown = choices.find((choice) => !options.includes(choice));
  if (unknown !== undefined) return `"${unknown}" is not among the options: ${options.join('; ')}.`;
  if (new Set(choices).size < choices.length) return 'A choice is named twice.';
  return choices.length > 1 && !multiple ? 'Only one of the options can be chosen.' : undefined;
}

/** The result of the call that asked. */
export const resultOfAnswer = ({ multiple = false }: Pick<Question, 'multiple'>, answer: Answer): JsonValue => ({
  answer: 'text' in answer ? answer.text : multiple ? answer.choices : (answer.choices[0] ?? ''),
});

export const expiredResult = { code: 'question/expired', message: 'The user did not answer in time. Nothing was decided: do not take that for an answer.' } as const;

type QuestionAsked = Extract<SessionEvent, { type: 'question.asked' }>;

/** Questions that have neither an answer nor an end. */
export function openQuestions(events: readonly SessionEvent[]): QuestionAsked[] {
  const ended = new Set(events.flatMap((event) => (event.type === 'question.answered' || event.type === 'question.closed' ? [event.questionId] : [])));
  return events.filter((event) => event.type === 'question.asked').filter(({ questionId }) => !ended.has(questionId));
}

/** Nobody is to answer any more: the turn has ended. */
export const cancelledQuestion = ({ turnId, step, callId, tool, questionId }: QuestionAsked): EventBody => ({ type: 'question.closed', turnId, step, callId, tool, questionId, reason: 'cancelled' });

/** What the model is told of a question whose turn ended. */
export const unanswered = (outcome: TurnOutcome): string => `${outcome === 'interrupted' ? 'The user interrupted' : 'The turn ended'} before this question was answered.`;
