import { z } from 'zod';
import { DomainError } from '../../../contracts/errors';
import { Question } from '../../../contracts/question';
import { askUser } from '../../../domain/tool-output-rule';
import { defineTool } from './tool';

export const askUserTool = defineTool({
  name: askUser,
  description:
    'Asks the user you work for, and waits for the answer. Use it when you cannot go on without something only they can say: a choice, a missing fact, a go-ahead. ' +
    'Offer options when there are few; with "multiple", they may choose several. Ask one thing at a time, and nothing you can find out yourself.',
  input: Question,
  output: z.object({ answer: z.union([z.string(), z.array(z.string())]) }),
  effect: 'read',
  timeoutMs: 30_000,
  maxAttempts: 10,
  questionOf: (question) => question,
  // Only where there is no user.
  run: () => Promise.reject(new DomainError('question/nobody-there', 'Nobody is there to ask: this turn was started by a schedule, or by another agent. Go on with what you know, or say what is missing.')),
});
