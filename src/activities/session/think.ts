import { activityInfo, cancellationSignal, Context } from '@temporalio/activity';
import type { Attachment } from '../../contracts/attachment';
import { codeOf, DomainError } from '../../contracts/errors';
import type { Reasoning } from '../../contracts/model';
import { maxBatchEvents, type EventBody, type SessionEvent, type Usage } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import { modelOfAttempt } from '../../domain/models';
import { withFactsRule } from '../../domain/recalled-facts';
import { canReason, mayReason } from '../../domain/reasoning';
import type { Thought } from '../../domain/session';
import { isMalformed, isOverflow } from '../../domain/stop-reasons';
import { withAnswerRule } from '../../domain/structured-output';
import { withToolOutputRule } from '../../domain/tool-output-rule';
import { toModelMessages } from '../../domain/transcript';
import type { Model, ModelChunk, ModelRequest } from '../../ports/model';
import { agentOf, type AgentOfTurn } from './agent';
import { approvalRecords } from './approval-events';
import { atOnceMs, DeferredWrite, noticeableMs } from './deferred-write';
import type { AttachedContents } from '../../domain/attachments';
import { type History, type HistoryRange, readAttached, readHistory } from './history';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import { type Equipped, permitted } from './policy';
import { recalledFacts, type RecalledFacts } from './recall-facts';
import { holdBudget, settleFromLog, type StepBudget } from './step-budget';
import { stepRefused } from './step-refused';
import { type Answer, eventsOf, thoughtFrom } from './step-events';
import { TokenStream } from './token-stream';
import { type Shortening, shorteningOf } from './too-long';

export interface ThinkInput extends TurnInput, HistoryRange {
  readonly userId: string;
  /** 1 is the first. */
  readonly step: number;
  /** Whether `turn.queued` is in the log already. */
  readonly announced: boolean;
  /** Of the configuration the turn began with; absent in its first step. */
  readonly configVersion?: number;
  /** Whether the conversation was too long for this step: what is older has been summarised since, if it could be. */
  readonly compacted?: true;
  /** Whether the step was refused before for want of budget: then the turn has begun in the log. */
  readonly resumed?: true;
  /** Where in the log is what is remembered of the user, once a step of the turn has found it. */
  readonly factsAt?: number;
  /** Messages that join the turn in this step, at most `maxSteering`. */
  readonly steering?: readonly string[];
}

export const createThink = (deps: SessionStepDeps) => ({
  /**
   * Asks the model for the next step, streams its words to whoever listens, and writes what it said and wants.
   * A repeated attempt returns what an earlier one wrote; a broken one is taken back with `step.reset`. Cancelled, it stops the
   * model and keeps what was said so far.
   *
   * @returns `compact` when what is older must be summarised before the model can read it all; `outcome` when the turn is over; otherwise the calls that wait (those with bad input are answered already).
   * @throws DomainError `model/*`, `config/unreadable`, `dependency/unavailable`
   * @see docs/decisions/0003-session-log.md
   */
  async think(input: ThinkInput): Promise<Thought> {
    // A turn keeps to the configuration it began with.
    const [configured] = await Promise.all([configOf(deps, input), mustKnowTheLog(deps, input)]);
    const begins = beginsTurn(input);
    const recalled = await recalledFacts(deps, { ...input, beginning: begins ? () => beginningWithMessage(deps, input) : undefined }, configured.agent);
    if (!recalled) return thinkOn(deps, input, configured, undefined);
    // It is in the log with how the turn begins: that is not written again.
    const begun: ThinkInput = begins ? { ...input, after: Math.max(input.after, recalled.seq), factsAt: recalled.seq } : input;
    return { ...(await thinkOn(deps, begun, configured, recalled)), factsAt: recalled.seq };
  },
});

async function thinkOn(deps: SessionStepDeps, input: ThinkInput, configured: Config, recalled: RecalledFacts | undefined): Promise<Thought> {
  const { tenantId, sessionId, turnId, step, after } = input;
  const modelId = modelOfAttempt(configured.agent, activityInfo().attempt);
  const config = { ...configured, agent: { ...configured.agent, modelId } };
  const earlier = activityInfo().attempt > 1 ? await deps.log.find({ tenantId, sessionId }, { after, key: batchKeys.stepCompleted(turnId, step) }) : undefined;
  if (earlier) {
    await settleFromLog(deps, input, earlier);
    return concluded(deps, input, earlier, config);
  }

  const { agent } = config;
  const { history, opening, contents } = await prepare(deps, input);
  const request = requestOf({ tenantId, sessionId, turnId, ...config, history, opening, contents, recalled });
  const shortening = shorteningOf(deps.contexts, request, { history, opening, compacted: input.compacted === true });
  const tooLong = shortening.beforeStep();
  if (tooLong) return { ...thoughtFrom([], config, config), head: (await writeOpening(deps, input, opening)).head, compact: tooLong };
  const held = await holdBudget(deps, input, agent, () => deps.model.sizeOf(request));
  if ('exhausted' in held) return stepRefused(deps, input, config, { ...held, opening });
  if (input.resumed) await deps.budgetLedger.noteWaiting({ tenantId, sessionId }, false);
  return ask(deps, input, { config, configured: configured.agent, request, history, opening, shortening, budget: held.budget });
}

/** A step for which the model may be asked. */
interface Prepared {
  readonly config: Config;
  /** The agent before another model took over for this attempt. */
  readonly configured: AgentConfig;
  readonly request: Request;
  readonly history: History;
  readonly opening: readonly EventBody[];
  readonly shortening: Shortening;
  readonly budget: StepBudget;
}

/** Asks the model, streams what it says, and writes it; what an attempt cost that came to nothing is written, too. */
async function ask(deps: SessionStepDeps, input: ThinkInput, { config, configured, request, history, opening, shortening, budget }: Prepared): Promise<Thought> {
  const { tenantId, sessionId, turnId, step, after } = input;
  const { agent } = config;
  const stream = new TokenStream({
    send: (delta) => deps.live.publish({ tenantId, sessionId }, [delta]),
    place: { turnId, step },
    onFirst: () => beginning.hasten(atOnceMs),
  });
  const beginning = new DeferredWrite(async () => {
    const opened = await writeOpening(deps, input, opening);
    // A delta's place is behind the step's beginning.
    stream.open(opened.head);
    return opened;
  }, noticeableMs);
  // An earlier attempt may have written it: then it must be found under its own key.
  if (activityInfo().attempt > 1) await beginning.begin();
  const heard: Heard = { calls: [], reasoning: [], usage: undefined };
  const answer = await askModel(deps.model, request, { stream, heard, beginning, shortening, most: mostCharacters(agent) }).catch(async (error: unknown) => {
    const { head } = await beginning.begin();
    const written = stream.reasoning + stream.text + heard.calls.map(({ rawInput }) => rawInput).join('');
    const waste = await budget.waste(agent.modelId, { written, told: heard.usage }, error);
    if (isStopped()) await keepPartial(deps, input, head, stream.text, waste);
    else if (waste) await keepWaste(deps, input, head, waste);
    const compact = codeOf(error) === 'model/context-overflow' ? shortening.afterOverflow() : undefined;
    if (compact) return { ...thoughtFrom([], config, config), head, compact };
    throw forNextAttempt(error, configured);
  });
  if ('compact' in answer) return answer;
  const opened = await beginning.settle();
  const isRepair = history.events.some((event) => event.type === 'answer.rejected' && event.turnId === turnId);
  const said = eventsOf({ ...answer, isFallback: agent.modelId !== configured.modelId, isRepair }, input, config, config, deps.prices);
  const batch = {
    after: opened?.head ?? after,
    key: batchKeys.stepCompleted(turnId, step),
    events: opened ? said : [...opening, ...said],
    // This attempt may be one that was given up for dead: a turn that ended meanwhile stays as it ended.
    notBehind: batchKeys.turnCompleted(turnId),
  };
  const written = await record(deps, input, batch, (events) => stream.among(events)).catch(async (error: unknown) => {
    await budget.wasteAnswer(agent.modelId, answer.usage);
    throw error;
  });
  await budget.settle(agent.modelId, answer.usage);
  return concluded(deps, input, written.events, config);
}

/** The agent as it may work now, its tools, and the version of its configuration. */
interface Config extends Equipped {
  readonly version: number;
}

/** What is in the log goes into lists, too: approvals that the step asks for. */
async function concluded(deps: SessionStepDeps, input: ThinkInput, events: readonly SessionEvent[], config: Config): Promise<Thought> {
  await deps.approvals.open(approvalRecords(events, input));
  return thoughtFrom(events, config, config);
}

/**
 * A session that knows of no log may have one: of a tenant that was restored. Then its workflow picks that up first.
 * @throws DomainError `log/unread`
 */
async function mustKnowTheLog({ log }: SessionStepDeps, { tenantId, sessionId, turnId, after }: ThinkInput): Promise<void> {
  if (after > 0) return;
  const events = await log.read({ tenantId, sessionId }, { after: 0, limit: maxBatchEvents });
  const begun = events.findIndex(({ type }) => type === 'session.started');
  const first = events[begun + 1];
  // An earlier attempt of this turn may have begun the log, or a turn that waits behind it was announced first.
  if (begun >= 0 && first && 'turnId' in first && first.turnId !== turnId) throw new DomainError('log/unread', 'The session has a past that its workflow does not know.');
}

export async function configOf(deps: SessionStepDeps, input: AgentOfTurn): Promise<Config> {
  const { version, agent } = await agentOf(deps, input);
  return { version, ...(await permitted(deps, input.tenantId, agent)) };
}

/** What the model is shown of the past, and how this step begins in the log. */
async function prepare(deps: SessionStepDeps, input: ThinkInput): Promise<{ history: History; opening: readonly EventBody[]; contents: AttachedContents }> {
  const { tenantId, sessionId, turnId, step } = input;
  const [history, message, steered] = await Promise.all([
    readHistory(deps.log, input),
    beginsTurn(input) ? messageOf(deps, { tenantId, sessionId }, turnId) : undefined,
    Promise.all((input.steering ?? []).map(async (messageId): Promise<EventBody> => ({ type: 'turn.steered', turnId, step, messageId, ...(await messageOf(deps, { tenantId, sessionId }, messageId)) }))),
  ]);
  const opening = openingOf(input, message, steered);
  return { history, opening, contents: await readAttached(deps.attachments, { tenantId, sessionId }, history, opening) };
}

interface Message {
  readonly text: string;
  readonly attachments?: Attachment[];
}

/** What a user sent, as the log has it. */
async function messageOf({ messages }: SessionStepDeps, { tenantId, sessionId }: SessionRef, messageId: string): Promise<Message> {
  const { text, attachments = [] } = await messages.get({ tenantId, sessionId }, messageId);
  return { text, ...(attachments.length > 0 && { attachments: [...attachments] }) };
}

function openingOf({ turnId, step, after, announced, agent, compacted }: ThinkInput, message: Message | undefined, steered: readonly EventBody[]): EventBody[] {
  // It has begun already, and begins anew.
  if (compacted) return [{ type: 'step.reset', turnId, step, attempt: activityInfo().attempt + 1 }, ...steered];
  return [...beginningOf({ turnId, after, announced, ...(agent && { agent }) }, message), ...steered, { type: 'step.started', turnId, step }];
}

/** Whether the turn has yet to begin in the log. */
const beginsTurn = ({ step, resumed, compacted, factsAt }: ThinkInput): boolean => step === 1 && !resumed && !compacted && factsAt === undefined;

function beginningOf({ turnId, after, announced, agent }: Pick<ThinkInput, 'turnId' | 'after' | 'announced' | 'agent'>, message: Message | undefined): EventBody[] {
  return [
    ...(after === 0 ? [{ type: 'session.started', ...(agent && { agent }) } as const] : []),
    ...(message && !announced ? [{ type: 'turn.queued', turnId } as const] : []),
    ...(message ? [{ type: 'turn.started', turnId, ...message } as const] : []),
  ];
}

async function beginningWithMessage(deps: SessionStepDeps, input: ThinkInput): Promise<{ text: string; events: readonly EventBody[] }> {
  const message = await messageOf(deps, input, input.turnId);
  return { text: message.text, events: beginningOf(input, message) };
}

/** Takes back what a broken attempt has streamed. */
async function writeOpening(deps: SessionStepDeps, input: ThinkInput, events: readonly EventBody[]): Promise<{ head: number }> {
  const { turnId, step, after } = input;
  const notBehind = batchKeys.turnCompleted(turnId);
  const opened = await record(deps, input, { after, key: input.compacted ? batchKeys.stepRestarted(turnId, step) : batchKeys.stepStarted(turnId, step), events, notBehind });
  if (!opened.repeated) return opened;
  const { attempt } = activityInfo();
  return record(deps, input, {
    after: opened.head,
    key: batchKeys.stepReset(turnId, step, attempt),
    events: [{ type: 'step.reset', turnId, step, attempt }],
    notBehind,
  });
}

/** Whether the turn was stopped, as opposed to a worker that shuts down: then another one thinks this step again. */
const isStopped = (): boolean => Context.current().cancellationDetails?.cancelRequested === true;

/** The time a model asks for counts for that model: another one need not wait. */
function forNextAttempt(error: unknown, agent: AgentConfig): unknown {
  const { attempt } = activityInfo();
  const isOver = modelOfAttempt(agent, attempt + 1) !== modelOfAttempt(agent, attempt);
  return isOver && error instanceof DomainError && error.retryAfterSeconds !== undefined ? new DomainError(error.code, error.message, { cause: error }) : error;
}

/** What the model had said when it was stopped: readers have seen it, and the model will. */
async function keepPartial(deps: SessionStepDeps, input: ThinkInput, after: number, text: string, waste: EventBody | undefined): Promise<void> {
  const { turnId, step } = input;
  const said: EventBody[] = text === '' ? [] : [{ type: 'message.completed', turnId, step, text, stopReason: 'stopped', partial: true }];
  const events = [...said, ...(waste ? [waste] : [])];
  if (events.length > 0) await record(deps, input, { after, key: batchKeys.stepStopped(turnId, step), events, notBehind: batchKeys.turnCompleted(turnId) });
}

/** What a broken attempt has cost; the next one is not kept waiting for it when it cannot be written. */
export async function keepWaste(deps: SessionStepDeps, input: TurnInput & { readonly step: number }, after: number, waste: EventBody): Promise<void> {
  const { turnId, step } = input;
  const { activityId, attempt } = activityInfo();
  const key = batchKeys.stepWasted(turnId, step, `${activityId}/${attempt}`);
  await record(deps, input, { after, key, events: [waste], notBehind: batchKeys.turnCompleted(turnId) }).catch(() => undefined);
}

/** Of one answer: the model's own limit counts tokens, and is the model's to keep. No token is longer than this on average. */
const mostCharacters = ({ maxOutputTokens }: AgentConfig): number => Math.max(65_536, 16 * maxOutputTokens);

/** Attempts at a step after which an answer that cannot be read ends the turn: each of them has cost something. */
const mostMalformed = 3;

type ToolCall = Extract<ModelChunk, { kind: 'toolCall' }>;
type Request = Omit<ModelRequest, 'signal'>;

function requestOf({ tenantId, sessionId, turnId, agent, toolbox, history: { summary, events }, opening, contents, recalled }: Equipped & SessionRef & { turnId: string; history: History; opening: readonly EventBody[]; contents: AttachedContents; recalled: RecalledFacts | undefined }): Request {
  const thinker = { turnId, modelId: agent.modelId };
  const rules = withToolOutputRule(agent.systemPrompt, agent.tools);
  const reasoning = agent.reasoning && canReason(agent.modelId) && mayReason(events, thinker) ? agent.reasoning : undefined;
  return {
    tenantId,
    sessionId,
    modelId: agent.modelId,
    systemPrompt: withAnswerRule(agent.memory?.retrieve ? withFactsRule(rules) : rules, agent.responseSchema),
    messages: toModelMessages([...events, ...opening], summary, { thinker: reasoning && thinker, contents, recalled }),
    tools: toolbox.specs(agent.tools),
    maxOutputTokens: agent.maxOutputTokens,
    guardrail: agent.guardrail,
    promptCache: agent.promptCache,
    reasoningTokens: reasoning?.budgetTokens,
  };
}

/** What came of an answer besides its text, noted as it comes: an answer that comes to nothing has cost something, too. */
interface Heard {
  readonly calls: ToolCall[];
  readonly reasoning: Reasoning[];
  usage: Usage | undefined;
}

interface Listening {
  readonly stream: TokenStream;
  readonly heard: Heard;
  readonly beginning: DeferredWrite<{ head: number }>;
  readonly shortening: Shortening;
  /** Characters of text. */
  readonly most: number;
}

async function askModel(model: Model, request: Request, { stream, heard, beginning, shortening, most }: Listening): Promise<Omit<Answer, 'isFallback' | 'isRepair'>> {
  for await (const chunk of model.converse({ ...request, signal: cancellationSignal() })) {
    if (stream.text.length + stream.reasoning.length > most) throw new DomainError('model/refused', 'The model does not stop talking.');
    if (chunk.kind === 'text') stream.push(chunk.text);
    else if (chunk.kind === 'reasoning') stream.pushReasoning(chunk.text);
    else if (chunk.kind === 'reasoned') heard.reasoning.push(chunk.block);
    else if (chunk.kind === 'toolCall') heard.calls.push(chunk);
    else {
      heard.usage = chunk.usage;
      if (isMalformed(chunk.stopReason) && activityInfo().attempt < mostMalformed) throw new DomainError('model/malformed-output', 'The model wrote what cannot be read.');
      if (isOverflow(chunk.stopReason) && shortening.afterOverflow()) throw new DomainError('model/context-overflow', 'The model had no room left to go on.');
      return { text: stream.text, reasoning: heard.reasoning, calls: heard.calls, stopReason: chunk.stopReason, usage: chunk.usage };
    }
    // Whoever cannot write need not listen on.
    if (beginning.hasBegun) await beginning.begin();
  }
  throw new TypeError('A model port ends every stream with an end chunk');
}
