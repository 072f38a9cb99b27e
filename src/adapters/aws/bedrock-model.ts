import {
  BedrockRuntimeClient,
  type ContentBlock,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  type Message,
  type ReasoningContentBlock,
  type ReasoningContentBlockDelta,
  type ToolConfiguration,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { DomainError } from '../../contracts/errors';
import type { Usage } from '../../contracts/events';
import { tokensOfBlock } from '../../domain/attachments';
import { maxInputCharacters } from '../../domain/requested-calls';
import { retryAfter } from '../../domain/retry-after';
import { tooLong } from '../../domain/stop-reasons';
import type { DocumentBlock, ImageBlock, JsonValue, ModelMessage, Reasoning, RequestSize, ToolSpec } from '../../contracts/model';
import { endingWith } from '../../ending';
import type { Model, ModelChunk, ModelQuestion } from '../../ports/model';
import { unlogged } from './clients';

export interface BedrockSettings {
  readonly region: string;
  /** Of a model server; Bedrock itself when undefined. */
  readonly endpoint: string | undefined;
  /** Time from the question to the first event of its answer. Default 120 s: a model may think for a minute before its first word. */
  readonly firstEventTimeoutMs?: number;
  /** Time between two events of an answer. Default 60 s. */
  readonly silenceTimeoutMs?: number;
}

/** Converse on Bedrock. Never retries by itself: the workflow does, and shows it. */
export function createBedrockModel({ region, endpoint, firstEventTimeoutMs = 120_000, silenceTimeoutMs = 60_000 }: BedrockSettings): Model {
  const client = unlogged(
    new BedrockRuntimeClient({
      region,
      ...(endpoint !== undefined && { endpoint }),
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler({
        connectionTimeout: 1_000,
        // In place of the SDK's own: the socket cannot tell a first event from a later one.
        socketTimeout: firstEventTimeoutMs,
        httpAgent: { keepAlive: true, maxSockets: 512 },
        httpsAgent: { keepAlive: true, maxSockets: 512 },
      }),
    }),
  );
  return {
    sizeOf(request) {
      const { messages, system, toolConfig } = commandFor({ ...request, messages: request.messages.map(withoutAttached) }).input;
      const text = JSON.stringify([messages, system, toolConfig]);
      const attached = request.messages.flatMap(({ content }) => content.flatMap((block) => (isAttached(block) ? [tokensOfBlock(block)] : [])));
      const sumOf = (name: keyof RequestSize['attached']) => attached.reduce((sum, tokens) => sum + tokens[name], 0);
      return { bytes: Buffer.byteLength(text), characters: text.length, attached: { mostTokens: sumOf('mostTokens'), likelyTokens: sumOf('likelyTokens') } };
    },

    async *converse(request) {
      const blocks = new BlockReader();
      using ending = endingWith([request.signal], firstEventTimeoutMs);
      const question = { isAccepted: false };
      try {
        const { stream } = await client.send(heard(commandFor(request), () => (question.isAccepted = true)), { abortSignal: ending.signal });
        for await (const event of stream ?? []) {
          ending.refresh(silenceTimeoutMs);
          yield* blocks.read(event);
        }
      } catch (error) {
        if (request.signal.aborted) throw error;
        // Whoever took the request, or let our time go by, may have read all of it.
        throw modelFailure(error, question.isAccepted || ending.isTimeUp);
      }
      yield blocks.end();
    },
  };
}

const commandFor = ({ tenantId, sessionId, modelId, systemPrompt, messages, tools, maxOutputTokens, guardrail, promptCache = [], reasoningTokens }: ModelQuestion) =>
  new ConverseStreamCommand({
    modelId,
    system: [{ text: systemPrompt }, ...(promptCache.includes('system') ? [cachePoint] : [])],
    messages: messages.map(toMessage),
    inferenceConfig: { maxTokens: maxOutputTokens },
    // Bedrock takes 16 entries of at most 256 characters, of a kind that our ids are: model invocation logs can be searched by them.
    requestMetadata: { tenantId, sessionId },
    ...(tools.length > 0 && { toolConfig: toToolConfig(tools, promptCache.includes('tools')) }),
    ...(reasoningTokens !== undefined && { additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: reasoningTokens } } }),
    ...(guardrail && { guardrailConfig: { guardrailIdentifier: guardrail.id, guardrailVersion: guardrail.version } }),
  });

/** Tells when a model server has taken the request: the client says so no sooner than with the first event. */
function heard(command: ConverseStreamCommand, onAccepted: () => void): ConverseStreamCommand {
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      if ((result.response as { readonly statusCode: number }).statusCode === 200) onAccepted();
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  return command;
}

/** All before it is kept. @see https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html */
const cachePoint = { cachePoint: { type: 'default' } } as const;

const toToolConfig = (tools: readonly ToolSpec[], isKept: boolean): ToolConfiguration => ({
  tools: [...tools.map(({ name, description, inputSchema }) => ({ toolSpec: { name, description, inputSchema: { json: inputSchema } } })), ...(isKept ? [cachePoint] : [])],
});

const isAttached = (block: ModelMessage['content'][number]): block is ImageBlock | DocumentBlock => 'image' in block || 'document' in block;

const withoutAttached = ({ role, content }: ModelMessage): ModelMessage => ({ role, content: content.filter((block) => !isAttached(block)) }) as ModelMessage;

const toMessage = ({ role, content }: ModelMessage): Message => ({
  role,
  content: content.map((block): ContentBlock => {
    if ('text' in block) return { text: block.text };
    if ('image' in block) return { image: { format: block.image.format, source: { bytes: block.image.content } } };
    if ('document' in block) return { document: { format: block.document.format, name: block.document.name, source: { bytes: block.document.content } } };
    if ('reasoning' in block) return { reasoningContent: toReasoning(block.reasoning) };
    if ('toolUse' in block) {
      const { callId, name, input } = block.toolUse;
      return { toolUse: { toolUseId: callId, name, input: isObject(input) ? input : { input } } };
    }
    const { callId, output, isError } = block.toolResult;
    return { toolResult: { toolUseId: callId, content: [{ json: isObject(output) ? output : { output } }], status: isError ? 'error' : 'success' } };
  }),
});

const toReasoning = (block: Reasoning): ReasoningContentBlock =>
  'redacted' in block ? { redactedContent: Buffer.from(block.redacted, 'base64') } : { reasoningText: { text: block.text, ...(block.signature !== undefined && { signature: block.signature }) } };

/** Converse takes objects only, as inputs and as results. */
const isObject = (value: JsonValue): value is { [key: string]: JsonValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Puts the pieces of a stream together: text goes on at once, a tool's input when it is whole. */
class BlockReader {
  private readonly openThoughts = new Map<number, { text: string; signature: string; redacted: Buffer[] }>();
  private readonly openCalls = new Map<number, { callId: string; name: string; rawInput: string }>();
  private stopReason: string | undefined;
  private usage: Usage = { inputTokens: 0, outputTokens: 0 };

  *read(event: ConverseStreamOutput): Generator<ModelChunk> {
    if (event.contentBlockStart?.start?.toolUse) {
      const { toolUseId = '', name = '' } = event.contentBlockStart.start.toolUse;
      this.openCalls.set(event.contentBlockStart.contentBlockIndex ?? 0, { callId: toolUseId, name, rawInput: '' });
    } else if (event.contentBlockDelta) {
      const { contentBlockIndex = 0, delta } = event.contentBlockDelta;
      if (delta?.text !== undefined) yield { kind: 'text', text: delta.text };
      if (delta?.reasoningContent) yield* this.think(contentBlockIndex, delta.reasoningContent);
      const call = this.openCalls.get(contentBlockIndex);
      if (call && delta?.toolUse && call.rawInput.length <= maxInputCharacters) call.rawInput += delta.toolUse.input ?? '';
    } else if (event.contentBlockStop) {
      const index = event.contentBlockStop.contentBlockIndex ?? 0;
      yield* this.thought(index);
      const call = this.openCalls.get(index);
      this.openCalls.delete(index);
      if (call) yield { kind: 'toolCall', ...call, input: parseInput(call.rawInput) };
    } else if (event.messageStop) this.stopReason = event.messageStop.stopReason;
    else if (event.metadata?.usage) {
      const { inputTokens = 0, outputTokens = 0, cacheReadInputTokens: read, cacheWriteInputTokens: write } = event.metadata.usage;
      this.usage = { inputTokens, outputTokens, ...(read !== undefined && { cacheReadTokens: read }), ...(write !== undefined && { cacheWriteTokens: write }) };
    }
  }

  private *think(index: number, { text = '', signature = '', redactedContent }: ReasoningContentBlockDelta): Generator<ModelChunk> {
    const open = this.openThoughts.get(index) ?? { text: '', signature: '', redacted: [] };
    this.openThoughts.set(index, open);
    open.text += text;
    open.signature += signature;
    if (redactedContent) open.redacted.push(Buffer.from(redactedContent));
    if (text !== '') yield { kind: 'reasoning', text };
  }

  private *thought(index: number): Generator<ModelChunk> {
    const open = this.openThoughts.get(index);
    if (!open) return;
    this.openThoughts.delete(index);
    const { text, signature, redacted } = open;
    yield { kind: 'reasoned', block: redacted.length > 0 ? { redacted: Buffer.concat(redacted).toString('base64') } : { text, ...(signature !== '' && { signature }) } };
  }

  end(): ModelChunk {
    if (this.stopReason === undefined) throw broken();
    return { kind: 'end', stopReason: this.stopReason, usage: this.usage };
  }
}

function parseInput(rawInput: string): JsonValue | undefined {
  if (rawInput === '') return {};
  try {
    return JSON.parse(rawInput) as JsonValue;
  } catch {
    return undefined;
  }
}

const broken = (cause?: unknown) => new DomainError('model/stream-broken', 'The model stopped in the middle of its answer.', { cause });

const busyNames = ['ThrottlingException', 'ServiceQuotaExceededException', 'ModelNotReadyException'];
const refusalNames = ['ValidationException', 'AccessDeniedException', 'ResourceNotFoundException', 'ModelErrorException'];

/** Bedrock has no name of its own for a request that is longer than the model can read: it is a ValidationException in words of the model's maker. */
const tellsOfLength = /(input|prompt)\b.*\b(too long|exceeds?)\b|context (length|limit|window)|too many (input )?tokens/i;

function modelFailure(error: unknown, mayBeServed: boolean): unknown {
  if (error instanceof DomainError || error instanceof TypeError || !(error instanceof Error)) return error;
  if (busyNames.includes(error.name)) return new DomainError('model/throttled', 'The model is busy.', { cause: error, ...askedToWait(error) });
  if (error.name === 'ValidationException' && tellsOfLength.test(error.message))
    return new DomainError('model/context-overflow', tooLong, { cause: error });
  if (refusalNames.includes(error.name))
    return new DomainError('model/refused', `The model refused the request: ${error.message}`, { cause: error });
  return mayBeServed ? broken(error) : new DomainError('model/unavailable', 'The model cannot be reached.', { cause: error, ...askedToWait(error) });
}

const askedToWait = (error: Error & { readonly $response?: { readonly headers?: Readonly<Record<string, string>> } }) => retryAfter(error.$response?.headers?.['retry-after'], Date.now());
