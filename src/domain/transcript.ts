import type { ErrorCode } from '../contracts/errors';
import type { EventBody, SessionEvent } from '../contracts/events';
import type { DocumentBlock, ImageBlock, JsonValue, ModelMessage, ReasoningBlock, ToolResultBlock, ToolUseBlock } from '../contracts/model';
import { type AttachedContents, blocksOf } from './attachments';
import { factsBlock } from './recalled-facts';
import { rejectionNote } from './structured-output';
import { shortenedTo } from './well-formed';

type Block = { readonly text: string } | ToolUseBlock | ToolResultBlock | ReasoningBlock | ImageBlock | DocumentBlock;

interface Showing {
  /** Of the turn that goes on, and of the model that is asked: it is shown again what it thought before it used tools. What was thought in turns before, nobody needs any more. */
  readonly thinker?: { readonly turnId: string; readonly modelId: string } | undefined;
  /** What is remembered of the user: goes before the message it was found for. */
  readonly recalled?: Extract<EventBody, { type: 'facts.recalled' }> | undefined;
  /** Images and documents that the model is to see; others are named. */
  readonly contents?: AttachedContents;
}

const nothingAttached: AttachedContents = new Map();

/** Characters of one tool result that the model is shown; the log keeps all of it. */
const maxResultCharacters = 50_000;

/**
 * The log as the model reads it: messages alternate and begin with the user, and every tool request is followed by its
 * result. Requests that an interrupted write left open are left out.
 *
 * @param summary - stands for all before the events.
 */
export function toModelMessages(events: readonly EventBody[], summary?: Summary, { thinker, recalled, contents = nothingAttached }: Showing = {}): ModelMessage[] {
  const answered = answeredCalls(events);
  const edits = editsIn(events);
  const messages: { role: 'user' | 'assistant'; content: Block[] }[] = [];
  const say = (role: 'user' | 'assistant', block: Block) => {
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(block);
    else if (last ?? role === 'user') messages.push({ role, content: [block] });
  };
  const withTools = new Set(events.flatMap((event) => (event.type === 'tool.requested' && event.turnId === thinker?.turnId && answered.has(callKey(event)) ? [event.step] : [])));
  const withheld = withheldTurns(events);
  const begun = new Set<string>(summary?.within === undefined ? [] : [summary.within]);
  const remind = (turnId: string | undefined) => {
    const block = recalled && turnId === recalled.turnId ? factsBlock(recalled.facts) : undefined;
    if (block !== undefined) say('user', { text: block });
  };
  if (summary) say('user', { text: summaryNote(summary) });
  remind(summary?.within);
  const { request, attachments: shown } = summary?.within !== undefined && withheld.has(summary.within) ? {} : (summary ?? {});
  if (request !== undefined) say('user', { text: requestNote(request) });
  const hear = ({ text, attachments }: { text: string; attachments?: Summary['attachments'] }) => {
    say('user', { text });
    for (const block of blocksOf(attachments, contents)) say('user', block);
  };
  for (const block of blocksOf(shown, contents)) say('user', block);
  const wanted = new Map(events.flatMap((event) => (event.type === 'tool.requested' && !withheld.has(event.turnId) ? [[callKey(event), event.input] as const] : [])));
  for (const event of events) {
    if (isUndoResult(event)) say('user', { text: undoNote(event, edits.get(callKey(event)) ?? wanted.get(callKey(event))) });
    else if ('turnId' in event && withheld.has(event.turnId)) {
      if (event.type === 'turn.completed') say('user', { text: withheldNote(events, event.turnId) });
    } else if (event.type === 'turn.started') {
      begun.add(event.turnId);
      remind(event.turnId);
      hear(event);
    } else if (event.type === 'turn.steered') hear(event);
    else if (event.type === 'turn.completed' && begun.has(event.turnId) && isStop(event.outcome)) say('user', { text: stopNotes[event.outcome] });
    else if (event.type === 'reasoning.completed' && event.turnId === thinker?.turnId && event.modelId === thinker.modelId && withTools.has(event.step))
      for (const reasoning of event.blocks) say('assistant', { reasoning });
    // Bedrock refuses blank text, and would refuse every later request that shows it.
    else if (event.type === 'message.completed' && event.text.trim() !== '') say('assistant', { text: event.text });
    else if (event.type === 'answer.rejected') say('user', { text: rejectionNote(event.problem) });
    else if (event.type === 'tool.requested' && answered.has(callKey(event)))
      say('assistant', { toolUse: { callId: event.callId, name: event.tool, input: event.input } });
    else if (isToolResult(event)) say('user', { toolResult: resultOf(event, edits.get(callKey(event))) });
  }
  return messages as ModelMessage[];
}

/** Turns that a guardrail stopped: it would stop every later turn, too, in which it sees what it objected to. */
export const withheldTurns = (events: readonly EventBody[]): ReadonlySet<string> =>
  new Set(events.flatMap((event) => (event.type === 'turn.completed' && event.code === ('model/guardrail-intervened' satisfies ErrorCode) ? [event.turnId] : [])));

/** In place of such a turn. What was done in it was done. */
function withheldNote(events: readonly EventBody[], turnId: string): string {
  const used = new Set(events.flatMap((event) => (event.type === 'tool.completed' && event.turnId === turnId ? [event.tool] : [])));
  return `(A guardrail withheld what was said here.${used.size > 0 ? ` These tools were used before: ${[...used].join(', ')}.` : ''})`;
}

export type Summary = Extract<EventBody, { type: 'history.compacted' }>;

/** How the model is told of what it no longer reads. */
const summaryNote = ({ summary }: Summary): string => `(Summary of the conversation up to here, which was too long to show:)\n${summary}`;

const requestNote = (request: string): string => `(What the user asked for last, word for word; you are working on it:)\n${request}`;

/** What the model is told when it was stopped: its words before may break off anywhere. */
const stopNotes = {
  interrupted: '(The user interrupted you here, with the message that follows.)',
  cancelled: '(The user stopped you here.)',
} as const;

const isStop = (outcome: string): outcome is keyof typeof stopNotes => Object.hasOwn(stopNotes, outcome);

type UndoResult = Extract<EventBody, { type: 'tool.undone' | 'tool.undo-failed' }>;

const isUndoResult = (event: EventBody): event is UndoResult => event.type === 'tool.undone' || event.type === 'tool.undo-failed';

const maxNotedCharacters = 1_000;

/** How the model is told, behind the turn, that what it did is not so any more. Nothing in it was written by whom the tool speaks with. @param input - of the call; absent: the model does not see it any more, either. */
export function undoNote(event: UndoResult, input?: JsonValue): string {
  const call = `${event.tool}${input === undefined ? '' : ` with ${shortenedTo(JSON.stringify(input), maxNotedCharacters)}`}`;
  if (event.type === 'tool.undone') return `(The user had this taken back, and it was: ${call}. It does not hold any more.)`;
  return `(The user wanted this taken back, and it was not (${event.code}): ${call}. It ${event.code === outcomeUnknown ? 'may still hold, or not' : 'still holds'}.)`;
}

const outcomeUnknown: ErrorCode = 'tool/outcome-unknown';

/** Calls that were requested and have no result yet. */
export function openCalls(events: readonly SessionEvent[]): Extract<SessionEvent, { type: 'tool.requested' }>[] {
  const answered = answeredCalls(events);
  return events.filter((event) => event.type === 'tool.requested').filter((event) => !answered.has(callKey(event)));
}

/** Approvals that nobody has decided yet. */
export function openApprovals(events: readonly SessionEvent[]): Extract<SessionEvent, { type: 'approval.requested' }>[] {
  const decided = new Set(events.flatMap((event) => (event.type === 'approval.decided' ? [event.approvalId] : [])));
  return events.filter((event) => event.type === 'approval.requested').filter(({ approvalId }) => !decided.has(approvalId));
}

/** Nobody is to decide any more: the turn has ended. */
export const cancelledApproval = ({ turnId, step, callId, tool, approvalId }: Extract<EventBody, { type: 'approval.requested' }>): EventBody => ({
  type: 'approval.decided',
  turnId,
  step,
  callId,
  tool,
  approvalId,
  decision: 'cancelled',
  by: [],
});

/** Arguments with which calls ran in place of those the model wanted, by call. */
function editsIn(events: readonly EventBody[]): Map<string, JsonValue> {
  return new Map(events.flatMap((event) => (event.type === 'approval.requested' && event.arguments !== undefined ? [[callKey(event), event.arguments] as const] : [])));
}

type ToolResultEvent = Extract<EventBody, { type: 'tool.completed' | 'tool.failed' }>;

const isToolResult = (event: EventBody): event is ToolResultEvent =>
  event.type === 'tool.completed' || event.type === 'tool.failed';

/** Calls that have their result. */
export const answeredCalls = (events: readonly EventBody[]): ReadonlySet<string> => new Set(events.flatMap((event) => (isToolResult(event) ? [callKey(event)] : [])));

export const callKey = ({ turnId, step, callId }: { turnId: string; step: number; callId: string }) => `${turnId}/${step}/${callId}`;

function resultOf(event: ToolResultEvent, edited: JsonValue | undefined): ToolResultBlock['toolResult'] {
  return { callId: event.callId, output: shownResult(event, edited), isError: event.type === 'tool.failed' };
}

/** What the model is shown of a tool's result. @param edited - arguments that a person has put in place of the model's. */
export function shownResult(event: ToolResultEvent, edited?: JsonValue): JsonValue {
  if (event.type === 'tool.failed') return { error: event.message, code: event.code };
  const output = edited === undefined ? event.output : { output: event.output, argumentsChangedByAPersonTo: edited };
  const text = JSON.stringify(output);
  return text.length <= maxResultCharacters ? output : { truncated: shortenedTo(text, maxResultCharacters), characters: text.length };
}
