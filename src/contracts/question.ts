import { z } from 'zod';
import { maxMessageCharacters } from './session';
import { writtenText } from './written-text';

export const maxOptions = 10;
const maxOptionCharacters = 200;

/** How long a question waits for its answer, unless the agent's configuration says otherwise. */
export const usualQuestionSeconds = 86_400;

/** What an agent asks its user. */
export const Question = z.strictObject({
  question: writtenText({ max: 2_000 }),
  /** What the user chooses from. Absent: they answer in words. */
  options: z
    .array(writtenText({ max: maxOptionCharacters }))
    .min(2)
    .max(maxOptions)
    .refine((options) => new Set(options).size === options.length, 'names an option twice')
    .optional(),
  /** Whether several options may be chosen. */
  multiple: z.boolean().optional(),
});
export type Question = z.infer<typeof Question>;

/** In words, or with options. */
export const Answer = z.union([z.object({ text: z.string() }), z.object({ choices: z.array(z.string()) })]);
export type Answer = z.infer<typeof Answer>;

/** An answer as the user sends it: in words, or of the options one or, where several may be chosen, at least one. */
export const AnswerBody = z.union([
  z.strictObject({ text: writtenText({ max: maxMessageCharacters }) }),
  z.strictObject({ choices: z.array(z.string().min(1).max(maxOptionCharacters)).min(1).max(maxOptions) }),
]);

/** Why a question got no answer: nobody gave one in time, or the turn ended before. */
export const questionClosings = ['expired', 'cancelled'] as const;
export type QuestionClosing = (typeof questionClosings)[number];
export const QuestionState = z.enum(['waiting', 'answered', ...questionClosings]);
export type QuestionState = z.infer<typeof QuestionState>;

/** A question as lists keep it; the log has what was asked. */
export const QuestionRecord = z.object({
  questionId: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  turnId: z.string(),
  step: z.number().int(),
  callId: z.string(),
  /** Sequence number of its `question.asked`. */
  eventAt: z.number().int(),
  askedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  state: QuestionState,
  endedAt: z.iso.datetime().optional(),
  /** Under which the answer is stored. */
  answerId: z.string().optional(),
});
export type QuestionRecord = z.infer<typeof QuestionRecord>;

/** A user's answer on its way to the session; what it says is stored under its id. */
export interface GivenAnswer {
  readonly questionId: string;
  /** The same for the same answer to the same question, however often it is sent. */
  readonly answerId: string;
  /** Who answers, as the token says. */
  readonly userId: string;
  /** Of the call that asks. */
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
}
