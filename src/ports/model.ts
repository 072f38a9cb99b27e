import type { Usage } from '../contracts/events';
import type { JsonValue, ModelMessage, Reasoning, RequestSize, ToolSpec } from '../contracts/model';
import type { CachePoint, Guardrail } from '../contracts/tenant';

export interface ModelRequest {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly modelId: string;
  readonly systemPrompt: string;
  /** Oldest first, alternating, user first. */
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolSpec[];
  readonly maxOutputTokens: number;
  /** Output tokens the model may reason with before it answers; absent: it does not. */
  readonly reasoningTokens?: number | undefined;
  readonly guardrail?: Guardrail | undefined;
  /** What the model server is to keep of it. */
  readonly promptCache?: readonly CachePoint[] | undefined;
  readonly signal: AbortSignal;
}

/** What a model is asked, before it is. */
export type ModelQuestion = Omit<ModelRequest, 'signal'>;

export type ModelChunk =
  | { readonly kind: 'text'; readonly text: string }
  /** A piece of what it thinks, and each block of that once it is whole. */
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'reasoned'; readonly block: Reasoning }
  /** `input` is undefined when what the model wrote is not JSON; `rawInput` is what it wrote. */
  | { readonly kind: 'toolCall'; readonly callId: string; readonly name: string; readonly input: JsonValue | undefined; readonly rawInput: string }
  /** Always the last, exactly once. `stopReason` as Converse names it. */
  | { readonly kind: 'end'; readonly stopReason: string; readonly usage: Usage };

export interface Model {
  /** Of all that the model is to read, as it goes over the wire. */
  sizeOf(request: ModelQuestion): RequestSize;
  /**
   * Streams one answer.
   * @throws DomainError `model/throttled`, `model/unavailable`, `model/stream-broken` (retryable), `model/refused`, `model/context-overflow` (not).
   * @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
   */
  converse(request: ModelRequest): AsyncIterable<ModelChunk>;
}
