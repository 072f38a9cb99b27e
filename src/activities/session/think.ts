import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import { maxBatchEvents, type EventBody, type SessionEvent, type Usage } from '../../contracts/events';
import type { JsonValue } from '../../contracts/model';
import { batchKeys } from '../../contracts/names';
import type { TurnOutcome } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import type { Thought } from '../../domain/session';
import { toModelMessages } from '../../domain/transcript';
import type { ModelChunk } from '../../ports/model';
import { DeferredWrite, noticeableMs } from './deferred-write';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import { TokenStream } from './token-stream';

export interface ThinkInput extends TurnInput {
  readonly userId: string;
  /** 1 is the first. */
  readonly step: number;
  /** Whether `turn.queued` is in the log already. */
  readonly announced: boolean;
  /** Of the configuration the turn began with; absent in its first step. */
  readonly configVersion?: number;
  /** The model is shown what comes after it. */
  readonly historyStart: number;
}

interface Answer {
  readonly text: string;
  readonly calls: readonly Extract<ModelChunk, { kind: 'toolCall' }>[];
  readonly stopReason: string;
  readonly usage: Usage;
}

export const createThink = (deps: SessionStepDeps) => ({
  /**
   * Asks the model for the next step, streams its words to whoever listens, and writes what it said and wants.
   * A repeated attempt returns what an earlier one wrote; a broken one is taken back with `step.reset`.
   *
   * @returns `outcome` when the turn is over; otherwise the calls that wait (those with bad input are answered already).
   * @throws DomainError `model/*`, `config/unreadable`, `dependency/unavailable`
   * @see docs/decisions/0003-session-log.md
   */
  async think(input: ThinkInput): Promise<Thought> {
    const { tenantId, sessionId, turnId, step, after } = input;
    // A turn keeps to the configuration it began with.
    const [{ version, agent }] = await Promise.all([configOf(deps, input), mustKnowTheLog(deps, input)]);
    const key = batchKeys.stepCompleted(turnId, step);
    const earlier = activityInfo().attempt > 1 ? await deps.log.find({ tenantId, sessionId }, { after, key }) : undefined;
    if (earlier) return thoughtFrom(earlier, { version, agent }, deps);

    const { history, opening } = await prepare(deps, input);
    const beginning = new DeferredWrite(() => writeOpening(deps, input, opening), noticeableMs);
    // An earlier attempt may have written it: then it must be found under its own key.
    if (activityInfo().attempt > 1) await beginning.begin();
    const answer = await askModel(deps, input, agent, [...history, ...opening], beginning).catch(async (error: unknown) => {
      await beginning.begin();
      throw error;
    });
    const opened = await beginning.settle();
    const said = eventsOf(answer, input, agent, deps);
    const written = await record(deps, input, {
      after: opened?.head ?? after,
      key,
      events: opened ? said : [...opening, ...said],
      // This attempt may be one that was given up for dead: a turn that ended meanwhile stays as it ended.
      notBehind: batchKeys.turnCompleted(turnId),
    });
    return thoughtFrom(written.events, { version, agent }, deps);
  },
});

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

async function configOf({ configs }: SessionStepDeps, { tenantId, configVersion }: ThinkInput): Promise<{ version: number; agent: AgentConfig }> {
  if (configVersion === undefined) return configs.current(tenantId);
  return { version: configVersion, agent: await configs.version(tenantId, configVersion) };
}

/** What the model is shown of the past, and how this step begins in the log. */
async function prepare(deps: SessionStepDeps, input: ThinkInput): Promise<{ history: readonly EventBody[]; opening: readonly EventBody[] }> {
  const { tenantId, sessionId, turnId, step, after, historyStart } = input;
  const [history, text] = await Promise.all([
    deps.log.read({ tenantId, sessionId }, { after: historyStart, upTo: after }),
    step === 1 ? deps.messages.get({ tenantId, sessionId }, turnId).then((message) => message.text) : undefined,
  ]);
  const opening: EventBody[] = [{ type: 'step.started', turnId, step }];
  if (text !== undefined) opening.unshift({ type: 'turn.started', turnId, text });
  if (text !== undefined && !input.announced) opening.unshift({ type: 'turn.queued', turnId });
  if (after === 0) opening.unshift({ type: 'session.started' });
  return { history, opening };
}

/** Takes back what a broken attempt has streamed. */
async function writeOpening(deps: SessionStepDeps, input: ThinkInput, events: readonly EventBody[]): Promise<{ head: number }> {
  const { turnId, step, after } = input;
  const opened = await record(deps, input, { after, key: batchKeys.stepStarted(turnId, step), events });
  if (!opened.repeated) return opened;
  const { attempt } = activityInfo();
  return record(deps, input, {
    after: opened.head,
    key: batchKeys.stepReset(turnId, step, attempt),
    events: [{ type: 'step.reset', turnId, step, attempt }],
  });
}

async function askModel(
  { model, live, toolbox }: SessionStepDeps,
  { tenantId, sessionId, turnId, step }: ThinkInput,
  agent: AgentConfig,
  history: readonly EventBody[],
  beginning: DeferredWrite<{ head: number }>,
): Promise<Answer> {
  const stream = new TokenStream((delta) => live.publish({ tenantId, sessionId }, [delta]), { turnId, step });
  const calls: Extract<ModelChunk, { kind: 'toolCall' }>[] = [];
  const chunks = model.converse({
    tenantId,
    modelId: agent.modelId,
    systemPrompt: agent.systemPrompt,
    messages: toModelMessages(history),
    tools: toolbox.specs(agent.tools),
    maxOutputTokens: agent.maxOutputTokens,
    signal: cancellationSignal(),
  });
  for await (const chunk of chunks) {
    // A delta's place is behind the step's beginning: that must be in the log first.
    if (chunk.kind === 'text') stream.push(chunk.text, (await beginning.begin()).head);
    else if (chunk.kind === 'toolCall') calls.push(chunk);
    else return { text: stream.text, calls, stopReason: chunk.stopReason, usage: chunk.usage };
  }
  throw new TypeError('A model port ends every stream with an end chunk');
}

/** The step as the log keeps it: what was said, what is wanted, what is refused at once, what it cost, and the end of the turn. */
function eventsOf(answer: Answer, { turnId, step }: ThinkInput, agent: AgentConfig, { toolbox }: SessionStepDeps): EventBody[] {
  const said: EventBody = { type: 'message.completed', turnId, step, text: answer.text, stopReason: answer.stopReason };
  const cost: EventBody = { type: 'usage.recorded', turnId, step, modelId: agent.modelId, usage: answer.usage };
  const calls = answer.calls.slice(0, maxCallsPerBatch);
  if (calls.length === 0) return [said, cost, { type: 'turn.completed', turnId, ...endOf(answer.stopReason) }];
  const requests: EventBody[] = calls.map(({ callId, name, input, rawInput }) => ({
    type: 'tool.requested',
    turnId,
    step,
    callId,
    tool: name,
    input: input ?? rawInput,
  }));
  const refusals = calls.flatMap((call, index): EventBody[] => {
    const refusal = refusalOf(call, index, agent, toolbox);
    return refusal ? [{ type: 'tool.failed', turnId, step, callId: call.callId, tool: call.name, ...refusal }] : [];
  });
  return [said, ...requests, ...refusals, cost];
}

/** Room for a request and a refusal each, and what stands around them. */
const maxCallsPerBatch = Math.floor((maxBatchEvents - 4) / 2);

function refusalOf(
  { name, input }: { name: string; input: JsonValue | undefined },
  index: number,
  agent: AgentConfig,
  toolbox: SessionStepDeps['toolbox'],
): { code: string; message: string } | undefined {
  if (index >= agent.maxToolsPerStep)
    return { code: 'tool/invalid-input', message: `Only ${agent.maxToolsPerStep} tools can be used in one step.` };
  const tool = agent.tools.includes(name) ? toolbox.find(name) : undefined;
  if (!tool) return { code: 'tool/unknown', message: `There is no tool "${name}". You have: ${agent.tools.join(', ')}.` };
  if (input === undefined) return { code: 'tool/invalid-input', message: 'The tool input is not valid JSON.' };
  const problem = tool.problemWith(input);
  return problem ? { code: 'tool/invalid-input', message: problem } : undefined;
}

/** How a turn ends by the model's own stop reason. */
function endOf(stopReason: string): { outcome: TurnOutcome; code?: string; message?: string } {
  switch (stopReason) {
    case 'end_turn':
    case 'stop_sequence':
      return { outcome: 'completed' };
    case 'max_tokens':
      return { outcome: 'completed', message: 'The answer was cut at the largest length allowed.' };
    case 'guardrail_intervened':
    case 'content_filtered':
      return { outcome: 'failed', code: 'model/refused', message: 'The answer was withheld by the content policy.' };
    default:
      return { outcome: 'failed', code: 'model/refused', message: `The model stopped without an answer (${stopReason}).` };
  }
}

/** Reads the workflow's part of a step back from its events, whoever wrote them. */
function thoughtFrom(events: readonly SessionEvent[], { version, agent }: { version: number; agent: AgentConfig }, { toolbox }: SessionStepDeps): Thought {
  const refused = new Set(events.flatMap((event) => (event.type === 'tool.failed' ? [event.callId] : [])));
  const calls = events.flatMap((event) => {
    if (event.type !== 'tool.requested' || refused.has(event.callId)) return [];
    const { timeoutMs = 60_000, maxAttempts = 1 } = toolbox.find(event.tool) ?? {};
    return [{ callId: event.callId, tool: event.tool, requestedAt: event.seq, timeoutMs, maxAttempts }];
  });
  const end = events.find((event) => event.type === 'turn.completed');
  return {
    head: events.at(-1)?.seq ?? 0,
    ...(end && { outcome: end.outcome }),
    calls,
    configVersion: version,
    limits: { maxSteps: agent.maxStepsPerTurn, maxTurnMs: agent.maxTurnSeconds * 1_000, historyTurns: agent.historyTurns },
  };
}
