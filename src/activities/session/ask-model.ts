import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import type { EventBody, Usage } from '../../contracts/events';
import type { Reasoning } from '../../contracts/model';
import type { SessionRef } from '../../contracts/session';
import type { AttachedContents } from '../../domain/attachments';
import { canReason, mayReason } from '../../domain/reasoning';
import { withFactsRule } from '../../domain/recalled-facts';
import { isMalformed, isOverflow } from '../../domain/stop-reasons';
import { withAnswerRule } from '../../domain/structured-output';
import { withToolOutputRule } from '../../domain/tool-output-rule';
import { toModelMessages } from '../../domain/transcript';
import type { Model, ModelChunk, ModelQuestion } from '../../ports/model';
import type { DeferredWrite } from './deferred-write';
import type { History } from './history';
import type { Equipped } from './policy';
import type { RecalledFacts } from './recall-facts';
import type { Answer } from './step-events';
import type { TokenStream } from './token-stream';
import type { Shortening } from './too-long';

/** The conversation as the agent's model is to read it, with the rules that go with what the agent may do. */
export function requestOf({ tenantId, sessionId, turnId, agent, toolbox, history: { summary, events }, opening, contents, recalled }: Equipped & SessionRef & { turnId: string; history: History; opening: readonly EventBody[]; contents: AttachedContents; recalled: RecalledFacts | undefined }): ModelQuestion {
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
export interface Heard {
  readonly calls: ToolCall[];
  readonly reasoning: Reasoning[];
  usage: Usage | undefined;
}

interface Listening {
  readonly stream: TokenStream;
  readonly heard: Heard;
  readonly beginning: DeferredWrite<{ head: number }>;
  readonly shortening: Shortening;
}

/**
 * Streams what the model says, and notes in `heard` what comes besides its text.
 * @throws DomainError `model/*`: also when the model does not stop, writes what cannot be read (the first times), or had no room and what is older can be summarised
 */
export async function askModel(model: Model, request: ModelQuestion, { stream, heard, beginning, shortening }: Listening): Promise<Omit<Answer, 'isFallback' | 'isRepair'>> {
  const most = mostCharacters(request);
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

/** Of one answer: the model's own limit counts tokens, and is the model's to keep. No token is longer than this on average. */
const mostCharacters = ({ maxOutputTokens }: ModelQuestion): number => Math.max(65_536, 16 * maxOutputTokens);

/** Attempts at a step after which an answer that cannot be read ends the turn: each of them has cost something. */
const mostMalformed = 3;

type ToolCall = Extract<ModelChunk, { kind: 'toolCall' }>;
