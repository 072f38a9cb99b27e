import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { EventBody, SessionEvent } from '../../contracts/events';
import { DomainError, errors } from '../../contracts/errors';
import type { JsonValue } from '../../contracts/model';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { rulingAmong } from '../../domain/approval-policy';
import type { OpenCall, PendingQuestion } from '../../domain/session';
import { errandIds } from './errand-ids';
import { leaveErrand, openErrand, type OpenedErrand } from './errands';
import { failureOf, type LedgeredOutput, runLedgered } from './ledgered-call';
import { DeferredWrite, noticeableMs } from './deferred-write';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import { equip } from './policy';
import { pendingQuestion, questionAsked, questionRecord } from './question-events';
import { deniedByPolicy } from './step-events';

export interface UseToolInput extends TurnInput {
  readonly userId: string;
  readonly step: number;
  readonly call: OpenCall;
  /** Of the configuration the turn began with; the one in force when absent. */
  readonly configVersion?: number;
  /** Whether nobody is there whom the turn could ask. */
  readonly unattended?: true;
}

export interface FailToolInput extends UseToolInput {
  readonly code: string;
  readonly message: string;
}

/** Where the log stands after the activity's own events. */
export interface Recorded {
  readonly head: number;
}

/** The call has its result, has asked the user for it, or is another agent's to work on. */
export interface UsedTool extends Recorded {
  readonly question?: PendingQuestion;
  readonly opened?: OpenedErrand;
}

export const createToolActivities = (deps: SessionStepDeps) => ({
  /**
   * Runs one tool call and writes its result. The call's key stays the same over all attempts, so that the tool's
   * target can tell a repetition; a result that an earlier attempt wrote is returned without running the tool again. One that changes
   * something is noted in the ledger first, and not repeated when nobody knows what became of it. One that asks the user does that, and has its
   * result later; so has one of another agent, for which a session is opened.
   *
   * @throws DomainError with a retryable code: tried again by the tool's own policy. Any other failure of the tool is a
   * result the model can react to.
   */
  async useTool(input: UseToolInput): Promise<UsedTool> {
    const { turnId, step, call, after } = input;
    const key = batchKeys.toolCompleted(turnId, step, call.callId);
    const askedKey = batchKeys.questionAsked(turnId, step, call.callId);
    const earlier = activityInfo().attempt > 1 ? ((await deps.log.find(sessionOf(input), { after, key })) ?? (await deps.log.find(sessionOf(input), { after, key: askedKey }))) : undefined;
    if (earlier) return used(deps, input, earlier);
    const started = toolEvent(input, { type: 'tool.started' });
    const startedKey = batchKeys.toolStarted(turnId, step, call.callId);
    const notBehind = batchKeys.turnCompleted(turnId);
    const beginning = new DeferredWrite(() => record(deps, input, { after, key: startedKey, events: [started], notBehind }), noticeableMs);
    // An earlier attempt may have written it: then it must be found under its own key.
    if (activityInfo().attempt > 1) await beginning.begin();
    const { result, isLedgered } = await runTool(deps, input).catch(async (error: unknown) => {
      await beginning.begin();
      throw error;
    });
    if ('errand' in result) return { head: (await beginning.begin()).head, opened: result };
    const opened = await beginning.settle();
    if ('resultAt' in result) return { head: result.resultAt };
    const written = await record(deps, input, {
      after,
      key: result.type === 'question.asked' ? askedKey : key,
      events: opened ? [result] : [started, result],
      notBehind,
    });
    if (isLedgered) await deps.ledger.finish(callOf(input), written.head);
    return used(deps, input, written.events);
  },

  /** Writes that a call failed for good, unless its result made it into the log after all. So may its question: then it has its result from the user. */
  async failTool({ code, message, ...input }: FailToolInput): Promise<UsedTool> {
    const { turnId, step, call, after } = input;
    const asked = await deps.log.find(sessionOf(input), { after, key: batchKeys.questionAsked(turnId, step, call.callId) });
    if (asked) return used(deps, input, asked);
    const failed = toolEvent(input, { type: 'tool.failed', ...(await failureOf(deps.ledger, callOf(input), { code, message })) });
    // A session may have been opened for it.
    if (call.childSessionId !== undefined) await leaveErrand(deps, input.tenantId, errandIds({ ...input, callId: call.callId }));
    return record(deps, input, { after, key: batchKeys.toolCompleted(turnId, step, call.callId), events: [failed] }).then(recorded);
  },
});

const recorded = ({ head }: Recorded): Recorded => ({ head });

/** What the call's last events say of it, whoever wrote them. What was asked is listed. */
async function used({ questions }: SessionStepDeps, input: UseToolInput, events: readonly SessionEvent[]): Promise<UsedTool> {
  const last = events.at(-1);
  if (last?.type !== 'question.asked') return { head: last?.seq ?? input.after };
  await questions.open(questionRecord(sessionOf(input), last));
  return { head: last.seq, question: pendingQuestion(last) };
}

const callOf = ({ tenantId, sessionId, turnId, step, call: { callId, tool } }: UseToolInput) => ({ tenantId, sessionId, turnId, step, callId, tool });

const sessionOf = ({ tenantId, sessionId }: TurnInput) => ({ tenantId, sessionId });

type ToolOutcome =
  | { type: 'tool.started' }
  | { type: 'tool.completed'; output: JsonValue }
  | { type: 'tool.failed'; code: string; message: string };

const toolEvent = ({ turnId, step, call: { callId, tool, childSessionId } }: UseToolInput, outcome: ToolOutcome): EventBody => ({
  turnId,
  step,
  callId,
  tool,
  ...(childSessionId !== undefined && { childSessionId }),
  ...outcome,
});

/** The event that tells the call's result, or that it asks for it; where an earlier attempt has written it; or what another agent is to do. */
interface ToolRun {
  readonly result: EventBody | { readonly resultAt: number } | OpenedErrand;
  /** Whether the ledger knows of the call. */
  readonly isLedgered: boolean;
}

async function runTool(deps: SessionStepDeps, input: UseToolInput): Promise<ToolRun> {
  const { log, ledger } = deps;
  const { tenantId, userId, turnId, step, call } = input;
  const toolInput = await inputOf(log, input);
  const { agent, toolbox } = await equip(deps, input);
  const ruling = rulingAmong(toolbox, agent.approvals, { tool: call.tool, input: toolInput });
  // Decided when it was asked for; a second look costs nothing, and nothing that is denied may ever run.
  if (ruling.decision === 'deny') return { result: toolEvent(input, { type: 'tool.failed', ...deniedByPolicy }), isLedgered: false };
  const context = { owner: { tenantId, userId }, agent, idempotencyKey: `${turnId}/${step}/${call.callId}`, signal: cancellationSignal() };
  const tool = agent.tools.includes(call.tool) ? toolbox.find(call.tool) : undefined;
  const question = input.unattended ? undefined : tool?.questionOf(toolInput);
  if (question) return { result: questionAsked({ ...input, callId: call.callId, tool: call.tool }, question, agent, Date.now()), isLedgered: false };
  // What does not fit is refused before anything is called.
  const isLedgered = tool?.agent === undefined && tool?.problemWith(toolInput) === undefined && tool?.effectOf(toolInput) === 'write';
  try {
    if (!tool) throw new DomainError('tool/unknown', `There is no tool "${call.tool}".`);
    if (tool.agent) return { result: await openErrand(deps, input, tool.agent, toolInput), isLedgered };
    const run = () => tool.run(toolInput, context);
    const ran: LedgeredOutput = isLedgered
      ? await runLedgered(ledger, { ref: callOf(input), mayRepeat: tool.mayRepeat(toolInput, agent), signal: context.signal, run })
      : { output: await run() };
    return { result: 'output' in ran ? toolEvent(input, { type: 'tool.completed', output: ran.output }) : ran, isLedgered };
  } catch (error) {
    if (!(error instanceof DomainError) || errors[error.code].retryable) throw error;
    return { result: toolEvent(input, { type: 'tool.failed', code: error.code, message: error.message }), isLedgered };
  }
}

/** What the model asked for, or what a person made of it. */
export async function inputOf(log: SessionStepDeps['log'], input: SessionRef & { readonly call: Pick<OpenCall, 'inputAt' | 'requestedAt'> }): Promise<JsonValue> {
  const at = input.call.inputAt ?? input.call.requestedAt;
  const { tenantId, sessionId } = input;
  const [event] = await log.read({ tenantId, sessionId }, { after: at - 1, upTo: at });
  if (event?.type === 'tool.requested') return event.input;
  if (event?.type === 'approval.requested' && event.arguments !== undefined) return event.arguments;
  throw new TypeError(`No tool input at ${at}`);
}
