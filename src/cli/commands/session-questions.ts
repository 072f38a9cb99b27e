import type { LiveEntry } from '../../contracts/events';
import type { Answer, QuestionState } from '../../contracts/question';
import { type Access, apiPath } from '../access';
import { ApiProblem } from '../api-client';
import type { Cli } from '../cli';
import { command, shared } from '../command';
import { ask } from '../terminal/ask';
import type { Paint } from '../terminal/paint';
import { type Column, printable, printableText, timeOf } from '../terminal/table';
import { access, type AsUser } from './as-user';

type QuestionAsked = Extract<LiveEntry, { type: 'question.asked' }>;

/** What the agent asks, and what there is to choose from. */
export function shownQuestion({ question, options = [], multiple }: QuestionAsked, paint: Paint): string {
  const choices = options.map((option, index) => `\n    ${index + 1}  ${printable(option)}`).join('');
  return `${paint('bold', `  ? ${printableText(question)}`)}${multiple ? ' (one or more)' : ''}${choices}`;
}

/** Has whoever sits at the terminal answer; where nobody does, says how it is done. What does not fit is asked again. */
export function answering(cli: Cli, caller: Access, { tenantId, sessionId }: { tenantId: string; sessionId: string }) {
  return async (asked: QuestionAsked): Promise<void> => {
    const { questionId, options } = asked;
    const later = `tenure session answer ${tenantId} ${sessionId} ${questionId} ${options ? '<number>' : '"..."'}`;
    if (!process.stdin.isTTY) {
      cli.out.note(`It waits for your answer: ${later}`);
      return;
    }
    for (let isWaiting = true; isWaiting; ) {
      const typed = (await ask('  > ')).trim();
      if (typed !== '') isWaiting = !(await isDealtWith(cli, () => caller.call(answerPath(tenantId, sessionId, questionId), { method: 'POST', body: answerOf(typed, asked) })));
    }
  };
}

/** @returns false when the answer does not fit, and another may. One that comes too late is dealt with. */
async function isDealtWith(cli: Cli, send: () => Promise<unknown>): Promise<boolean> {
  try {
    await send();
    return true;
  } catch (error) {
    if (!(error instanceof ApiProblem) || ![400, 409, 413, 422].includes(error.status)) throw error;
    cli.out.note(error.message);
    return error.status === 409;
  }
}

const answerPath = (tenantId: string, sessionId: string, questionId: string): string => apiPath`/tenants/${tenantId}/sessions/${sessionId}/questions/${questionId}/answer`;

/** Options are named by their numbers or their own words, several with commas. */
function answerOf(typed: string, { options, multiple }: Pick<QuestionAsked, 'options' | 'multiple'>): Answer {
  if (!options) return { text: typed };
  const named = options.includes(typed) || !multiple ? [typed] : typed.split(',').map((part) => part.trim());
  return { choices: named.map((name) => (options.includes(name) ? name : (options[Number(name) - 1] ?? name))) };
}

export const answer = command<AsUser>({
  usage: 'answer <tenantId> <sessionId> <questionId> <answer>',
  summary: 'answer a question of the agent: in words, or with the number of an option, or several with commas',
  options: [shared.user],
  examples: ['tenure session answer acme ses-01k qst-01k "the blue one"', 'tenure session answer acme ses-01k qst-01k 1,3'],
  async run(cli, { user }, tenantId: string, sessionId: string, questionId: string, text: string) {
    const caller = await access(cli, tenantId, { user });
    const { data } = await caller.call<{ data: ShownQuestion[] }>(apiPath`/tenants/${tenantId}/sessions/${sessionId}/questions`);
    const asked = data.find((one) => one.questionId === questionId) ?? {};
    const answered = await caller.call<ShownQuestion>(answerPath(tenantId, sessionId, questionId), { method: 'POST', body: answerOf(text.trim(), asked) });
    cli.out.result(answered, () => 'The agent has your answer.');
  },
});

export const questions = command<AsUser>({
  usage: 'questions <tenantId> <sessionId>',
  summary: 'list what the agent of a session asked its user, newest first',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, sessionId: string) {
    const { data } = await (await access(cli, tenantId, { user })).call<{ data: ShownQuestion[] }>(apiPath`/tenants/${tenantId}/sessions/${sessionId}/questions`);
    cli.out.list(data, questionColumns, 'It has asked nothing.');
  },
});

/** As the API shows it. */
interface ShownQuestion extends Pick<QuestionAsked, 'question' | 'options' | 'multiple' | 'expiresAt'> {
  readonly questionId: string;
  readonly state: QuestionState;
  readonly answer?: Answer;
}

const questionColumns: readonly Column<ShownQuestion>[] = [
  { title: 'id', of: ({ questionId }) => questionId },
  { title: 'state', of: ({ state }) => state },
  { title: 'question', of: ({ question }) => printable(question) },
  { title: 'options', of: ({ options }) => printable((options ?? []).map((option, index) => `${index + 1} ${option}`).join(', ')) },
  { title: 'answer', of: ({ answer: given }) => (given ? printable('text' in given ? given.text : given.choices.join(', ')) : '') },
  { title: 'expires', of: ({ expiresAt }) => timeOf(expiresAt) },
];
