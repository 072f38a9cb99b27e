import { z } from 'zod';
import { AgentPin } from './agent';
import { approvalDecisions } from './approval';
import { Attachment } from './attachment';
import { budgetLevels, budgetUnits } from './budget';
import { Answer, questionClosings } from './question';
import { turnOutcomes } from './session';

export const Usage = z.object({
  /** Without what comes from or goes into what the model server keeps. */
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  cacheReadTokens: z.number().int().optional(),
  cacheWriteTokens: z.number().int().optional(),
});
export type Usage = z.infer<typeof Usage>;

const inTurn = { turnId: z.string() };
const inStep = { ...inTurn, step: z.number().int().min(1) };
const ofCall = { ...inStep, callId: z.string(), tool: z.string() };
/** Of a call of another agent: where that agent works on it. */
const ofErrand = { childSessionId: z.string().optional() };
/** What came with a message: by reference, for the log keeps no bytes. */
const ofMessage = { text: z.string(), attachments: z.array(Attachment).min(1).optional() };
const ofCost = { costMicroUsd: z.number().int().optional(), agent: z.string().optional() };
/** What the model is asked for besides answers: summaries of long conversations, and facts to remember. */
export const modelPurposes = ['compaction', 'extraction'] as const;
export type ModelPurpose = (typeof modelPurposes)[number];
/** Absent: an answer to the user. */
const forWhat = { purpose: z.enum(modelPurposes).optional() };
/** One of a user's facts, as it was then. `createdAt`: since when it is remembered. */
const RecalledFact = z.object({ factId: z.string(), text: z.string(), createdAt: z.iso.datetime() });
export type RecalledFact = z.infer<typeof RecalledFact>;
const ofApproval = { ...ofCall, approvalId: z.string() };
const ofUndo = { undoId: z.string() };
const ofQuestion = { ...ofCall, questionId: z.string() };

/** What happened, without its place in the log. The log is the transcript: texts are in it and nowhere else. */
export const EventBody = z.discriminatedUnion('type', [
  /** `agent`: the version the session keeps to; absent: the tenant's own. */
  z.object({ type: z.literal('session.started'), agent: AgentPin.optional() }),
  z.object({ type: z.literal('turn.queued'), ...inTurn }),
  z.object({ type: z.literal('turn.started'), ...inTurn, ...ofMessage }),
  /** A message that joined the running turn: the model sees it in this step. `messageId` is what the sender was given as its turn. */
  z.object({ type: z.literal('turn.steered'), ...inStep, messageId: z.string(), ...ofMessage }),
  z.object({ type: z.literal('step.started'), ...inStep }),
  /** A retry throws away what was streamed of this step: show nothing of it any more. */
  z.object({ type: z.literal('step.reset'), ...inStep, attempt: z.number().int() }),
  /** What the model thought before it answered; no part of the answer. `redacted`: what only the model's maker can read. */
  z.object({
    type: z.literal('reasoning.completed'),
    ...inStep,
    modelId: z.string(),
    blocks: z.array(z.union([z.object({ text: z.string(), signature: z.string().optional() }), z.object({ redacted: z.string() })])),
  }),
  /** What is remembered of the user and is shown to the model in this turn, best match first. `failure`: the memory could not be asked, and the turn goes on without. */
  z.object({ type: z.literal('facts.recalled'), ...inTurn, facts: z.array(RecalledFact), failure: z.string().optional() }),
  /** `partial`: the model was stopped here; its turn ends without another word of it. `modelId`: one of the agent's fallback models answered. */
  z.object({ type: z.literal('message.completed'), ...inStep, text: z.string(), stopReason: z.string(), partial: z.literal(true).optional(), modelId: z.string().optional() }),
  /** The answer does not fit the agent's schema: the model is told, and asked once more. */
  z.object({ type: z.literal('answer.rejected'), ...inStep, problem: z.string() }),
  z.object({ type: z.literal('tool.requested'), ...ofCall, ...ofErrand, input: z.json() }),
  /** The call waits for people. `arguments` and `replaces`: a person has changed the arguments, and this takes the place of what was asked before. */
  z.object({
    type: z.literal('approval.requested'),
    ...ofApproval,
    argumentsHash: z.string(),
    policyVersion: z.number().int(),
    quorum: z.number().int(),
    /** Users who may not approve. */
    barred: z.array(z.string()),
    expiresAt: z.iso.datetime(),
    onExpiry: z.enum(['deny', 'approve']),
    replaces: z.string().optional(),
    arguments: z.json().optional(),
  }),
  z.object({ type: z.literal('approval.voted'), ...ofApproval, by: z.string(), decision: z.enum(['approve', 'deny', 'edit']), note: z.string().optional() }),
  z.object({ type: z.literal('approval.decided'), ...ofApproval, decision: z.enum(approvalDecisions), by: z.array(z.string()), expired: z.literal(true).optional() }),
  /** What became of telling it by webhook: the status it was taken with, or why it was given up. */
  z.object({ type: z.literal('approval.notified'), ...ofApproval, status: z.number().int().optional(), failure: z.string().optional() }),
  /** The call asks the session's user, and waits for the answer. `options`: what to choose from; `multiple`: more than one, too. */
  z.object({ type: z.literal('question.asked'), ...ofQuestion, question: z.string(), options: z.array(z.string()).optional(), multiple: z.literal(true).optional(), expiresAt: z.iso.datetime() }),
  z.object({ type: z.literal('question.answered'), ...ofQuestion, answer: Answer }),
  /** It got no answer: nobody gave one in time, or the turn ended before. */
  z.object({ type: z.literal('question.closed'), ...ofQuestion, reason: z.enum(questionClosings) }),
  z.object({ type: z.literal('tool.started'), ...ofCall, ...ofErrand }),
  z.object({ type: z.literal('tool.completed'), ...ofCall, ...ofErrand, output: z.json() }),
  z.object({ type: z.literal('tool.failed'), ...ofCall, ...ofErrand, code: z.string(), message: z.string() }),
  /** `costMicroUsd`: at the price of that time; absent for a model without a price. `agent`: by name; absent for the tenant's own. `attempt`: whose answer it is; absent: the first's. */
  z.object({ type: z.literal('usage.recorded'), ...inStep, modelId: z.string(), usage: Usage, ...ofCost, ...forWhat, attempt: z.number().int().min(2).optional() }),
  /** An attempt that broke or was stopped: about what it cost, as the model server does not say. Or one whose answer is not in the log: what it cost. Maybe behind its turn. */
  z.object({ type: z.literal('usage.wasted'), ...inStep, modelId: z.string(), usage: Usage, ...ofCost, ...forWhat }),
  /**
   * The conversation was too long for the model: from here on it reads `summary` in place of all up to event `upTo`. The log keeps all of it. `within`: the turn that
   * was under way there, and `request` what its user had asked for, word for word, with what was attached to it.
   */
  z.object({ type: z.literal('history.compacted'), ...inStep, upTo: z.number().int().min(1), summary: z.string(), within: z.string().optional(), request: z.string().optional(), attachments: ofMessage.attachments }),
  /** The turn waits before this step until there is budget again. `renewsAt`: when a new period begins. */
  z.object({ type: z.literal('budget.exhausted'), ...inStep, level: z.enum(budgetLevels), unit: z.enum(budgetUnits), renewsAt: z.iso.datetime().optional() }),
  /** Behind its turn: what is remembered from it from now on. */
  z.object({ type: z.literal('facts.extracted'), ...inTurn, facts: z.array(z.object({ text: z.string() })) }),
  /** Nothing, or not all, is remembered from the turn, and why. */
  z.object({ type: z.literal('facts.skipped'), ...inTurn, code: z.string(), message: z.string() }),
  /** `value`: of an agent with a schema, what the answer says. */
  z.object({ type: z.literal('turn.completed'), ...inTurn, outcome: z.enum(turnOutcomes), code: z.string().optional(), message: z.string().optional(), value: z.json().optional() }),
  /** Behind its turn, as everything of an undo: the user had what the call did taken back. `undoId`: of that request. */
  z.object({ type: z.literal('tool.undone'), ...ofUndo, ...ofCall }),
  /** What the call did still holds, and why; `tool/no-undo` when it cannot be taken back. It can be asked for again. */
  z.object({ type: z.literal('tool.undo-failed'), ...ofUndo, ...ofCall, code: z.string(), message: z.string() }),
  /** Of all calls of the turn: how many this request has taken back, and how many it has not. `code`: why none was even tried. */
  z.object({ type: z.literal('undo.completed'), ...ofUndo, ...inTurn, undone: z.number().int(), failed: z.number().int(), code: z.string().optional(), message: z.string().optional() }),
  /** All before it was copied from the log of another session, as that stood at the end of a turn; what it cost is counted there. */
  z.object({ type: z.literal('session.forked'), from: z.string(), atTurn: z.string() }),
  z.object({ type: z.literal('session.closed') }),
]);
export type EventBody = z.infer<typeof EventBody>;

/** An entry of the log. `seq` starts at 1, has no gaps, and never changes its meaning. */
export const SessionEvent = z.intersection(z.object({ seq: z.number().int().min(1), at: z.iso.datetime() }), EventBody);
export type SessionEvent = { readonly seq: number; readonly at: string } & EventBody;

/** A piece of the model's answer while it is written. Not kept: the text is in `message.completed` afterwards. */
export const TextDelta = z.object({
  type: z.literal('text.delta'),
  ...inStep,
  /** The last durable event before it. */
  afterSeq: z.number().int(),
  /** Counts the deltas of the step, from 1; anew behind its `step.reset`. */
  n: z.number().int().min(1),
  text: z.string(),
});
export type TextDelta = z.infer<typeof TextDelta>;

/** A piece of what the model thinks before it answers: `reasoning.completed` has it afterwards. */
export const ReasoningDelta = TextDelta.extend({ type: z.literal('reasoning.delta') });
export type ReasoningDelta = z.infer<typeof ReasoningDelta>;

export type Delta = TextDelta | ReasoningDelta;
export type LiveEntry = SessionEvent | Delta;

/** Whether an entry is not kept: it has a place behind a durable event, and no sequence number. */
export const isDelta = (entry: LiveEntry): entry is Delta => entry.type === 'text.delta' || entry.type === 'reasoning.delta';

/** Events in one atomic write. Bounds how far back a reader must look for the batch that holds its cursor. */
export const maxBatchEvents = 64;

/** After event `seq`, and after delta `n` of the step that is under way there. */
export interface Cursor {
  readonly seq: number;
  readonly n: number;
}

/** Place in the stream as readers are told it: `{seq}`, or `{seq}.{n}` in the middle of a step. */
export const textOfCursor = ({ seq, n }: Cursor): string => (n > 0 ? `${seq}.${n}` : String(seq));

/** Of a cursor in text. */
export const cursorPattern = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?$/;

/** @returns undefined when the text is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = cursorPattern.exec(text);
  return match ? { seq: Number(match[1]), n: Number(match[2] ?? 0) } : undefined;
}
