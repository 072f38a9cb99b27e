import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';

/** The part of Converse's request that matters to a model. @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html */
const ToolUse = z.object({ toolUseId: z.string().min(1).max(64), name: z.string(), input: z.json() });
const ToolResult = z.object({
  toolUseId: z.string(),
  content: z.array(z.object({ text: z.string().optional(), json: z.json().optional() })),
  status: z.enum(['success', 'error']).optional(),
});
const ReasoningContent = z.union([z.object({ reasoningText: z.object({ text: z.string(), signature: z.string().optional() }) }), z.object({ redactedContent: z.string() })]);

/** What is told of bytes: they are not kept. */
const Bytes = z.string().transform((text) => {
  const bytes = Buffer.from(text, 'base64');
  return { size: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex'), beginning: bytes.subarray(0, 200).toString('utf8') };
});
const Image = z.object({ format: z.enum(['png', 'jpeg', 'gif', 'webp']), source: z.object({ bytes: Bytes }) });
const Document = z.object({ format: z.enum(['pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md']), name: z.string(), source: z.object({ bytes: Bytes }) });
const ContentBlock = z.object({ text: z.string().optional(), image: Image.optional(), document: Document.optional(), toolUse: ToolUse.optional(), toolResult: ToolResult.optional(), reasoningContent: ReasoningContent.optional() });
const Message = z.object({ role: z.enum(['user', 'assistant']), content: z.array(ContentBlock).min(1) });
export type Message = z.infer<typeof Message>;

const CachePoint = z.object({ type: z.literal('default') });
const ToolSpec = z.object({ name: z.string(), description: z.string().optional(), inputSchema: z.object({ json: z.json() }) });

export const ConverseRequest = z.object({
  messages: z.array(Message).min(1),
  system: z.array(z.object({ text: z.string().optional(), cachePoint: CachePoint.optional() })).optional(),
  inferenceConfig: z.object({ maxTokens: z.number().int().min(1).optional(), stopSequences: z.array(z.string()).optional() }).optional(),
  toolConfig: z
    .object({ tools: z.array(z.object({ toolSpec: ToolSpec.optional(), cachePoint: CachePoint.optional() })).min(1) })
    .optional(),
  additionalModelRequestFields: z.object({ thinking: z.object({ type: z.literal('enabled'), budget_tokens: z.number().int().min(1_024) }).optional() }).optional(),
  guardrailConfig: z.object({ guardrailIdentifier: z.string().min(1), guardrailVersion: z.string().regex(/^(DRAFT|[1-9][0-9]{0,7})$/) }).optional(),
  requestMetadata: z.record(z.string(), z.string()).optional(),
});
export type ConverseRequest = z.infer<typeof ConverseRequest>;

export interface WantedCall {
  readonly name: string;
  readonly input?: z.core.util.JSONType;
  /** Sent as it is, in place of `input`: for input that is not JSON. */
  readonly rawInput?: string;
  /** Sent as they are, inside the JSON text that carries the input: for what is no text. */
  readonly inputBytes?: Uint8Array;
  /** In place of a new one. */
  readonly callId?: string;
}

/** As Converse names it, without the sum. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadInputTokens?: number;
  readonly cacheWriteInputTokens?: number;
}

export const totalOf = ({ inputTokens, outputTokens, cacheReadInputTokens = 0, cacheWriteInputTokens = 0 }: TokenUsage): number => inputTokens + outputTokens + cacheReadInputTokens + cacheWriteInputTokens;

/** What the model answers. */
export interface Reply {
  readonly text: string;
  readonly calls: readonly WantedCall[];
  readonly stopReason: string;
  readonly usage?: TokenUsage;
}

/** What a model thinks before it answers. */
export interface Thought {
  readonly text: string;
  readonly redacted?: boolean | undefined;
}

/** An answer while it comes into being: its text piece by piece, then the rest. */
export type Answer = AsyncGenerator<string, AnswerEnd, void>;
export type AnswerEnd = Omit<Reply, 'text'>;

/** How an answer goes wrong. `after` counts words that were streamed before. */
export type Failure =
  | { readonly kind: 'throttling' | 'unavailable' | 'validation' | 'too-long' | 'internal'; readonly retryAfterSeconds?: number | undefined }
  | { readonly kind: 'stream-error' | 'disconnect'; readonly after: number };

export const toolResultsOf = (message: Message | undefined) => message?.content.flatMap(({ toolResult }) => toolResult ?? []) ?? [];

export const toolSpecsOf = ({ toolConfig }: Pick<ConverseRequest, 'toolConfig'>) => toolConfig?.tools.flatMap(({ toolSpec }) => toolSpec ?? []) ?? [];

export const textOf = (message: Message | undefined): string => message?.content.flatMap(({ text }) => text ?? []).join('\n') ?? '';

/** An image or a document, without its bytes. */
interface AttachedBytes extends z.output<typeof Bytes> {
  readonly kind: 'image' | 'document';
  readonly format: string;
  readonly name?: string;
}

/** All that is attached, oldest first. */
export const attachedIn = (messages: readonly Message[]): AttachedBytes[] =>
  messages.flatMap(({ content }) =>
    content.flatMap(({ image, document }): AttachedBytes[] => [
      ...(image ? [{ kind: 'image' as const, format: image.format, ...image.source.bytes }] : []),
      ...(document ? [{ kind: 'document' as const, format: document.format, name: document.name, ...document.source.bytes }] : []),
    ]),
  );

/** Of keys and values. @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html */
const metadataPattern = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/;
const toolNamePattern = /^[a-zA-Z0-9_-]{1,64}$/;
const inputNamePattern = /^[a-zA-Z0-9_.-]{1,64}$/;
const TopOfSchema = z.object({ oneOf: z.json(), anyOf: z.json(), allOf: z.json(), properties: z.record(z.string(), z.json()) }).partial();

/** What Bedrock would refuse, in its words; undefined when nothing. */
export function problemWith(request: ConverseRequest): string | undefined {
  const { messages, toolConfig, requestMetadata = {} } = request;
  if (messages.some(({ content }) => content.some(({ text }) => text !== undefined && text.trim() === '')))
    return 'The text field in the ContentBlock object is blank. Add text to the text field, and try again.';
  if (messages[0]?.role !== 'user') return 'A conversation must start with a user message.';
  for (const [index, message] of messages.entries()) {
    const previous = messages[index - 1];
    if (previous?.role === message.role) return 'messages: roles must alternate between "user" and "assistant".';
    const problem = pairingProblem(previous, message) ?? (index === messages.length - 1 ? pairingProblem(message, undefined) : undefined);
    if (problem) return problem;
  }
  const usesTools = messages.some(({ content }) => content.some(({ toolUse, toolResult }) => toolUse ?? toolResult));
  if (usesTools && !toolConfig) return 'The toolConfig field must be defined when using toolUse and toolResult content blocks.';
  const attached = attachmentProblem(messages);
  if (attached !== undefined) return attached;
  const thinking = reasoningProblem(request);
  if (thinking !== undefined) return thinking;
  const metadata = Object.entries(requestMetadata);
  if (metadata.length > 16 || metadata.some(([name, value]) => name === '' || ![name, value].every((text) => metadataPattern.test(text)))) return "Value at 'requestMetadata' failed to satisfy constraint.";
  return toolProblem(toolSpecsOf({ toolConfig }));
}

function toolProblem(tools: ReturnType<typeof toolSpecsOf>): string | undefined {
  const badName = tools.find(({ name }) => !toolNamePattern.test(name));
  if (badName) return `Value '${badName.name}' at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint: [a-zA-Z0-9_-]+`;
  // Models of Anthropic look at the top of the schema alone.
  for (const [index, { inputSchema }] of tools.entries()) {
    const { oneOf, anyOf, allOf, properties } = TopOfSchema.catch({}).parse(inputSchema.json);
    const at = `The model returned the following errors: tools.${index}.custom.input_schema`;
    if (oneOf ?? anyOf ?? allOf) return `${at}: input_schema does not support oneOf, allOf, or anyOf at the top level`;
    if (Object.keys(properties ?? {}).some((name) => !inputNamePattern.test(name))) return `${at}.properties: Property keys should match pattern '${inputNamePattern.source}'`;
  }
  return undefined;
}

/** What Converse takes of images and documents. @see https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html */
function attachmentProblem(messages: readonly Message[]): string | undefined {
  const attached = attachedIn(messages);
  const [images, documents] = [attached.filter(({ kind }) => kind === 'image'), attached.filter(({ kind }) => kind === 'document')];
  if (images.length > 20) return 'Too many images in the request: 20 at most.';
  if (documents.length > 5) return 'Too many documents in the request: 5 at most.';
  if (images.some(({ size }) => size > 3_750_000)) return 'The image exceeds the limit of 3.75 MB.';
  if (documents.some(({ size }) => size > 4_500_000)) return 'The document exceeds the limit of 4.5 MB.';
  const names = documents.map(({ name = '' }) => name);
  if (!names.every((name) => /^[a-zA-Z0-9 \-()[\]]{1,200}$/.test(name) && !name.includes('  '))) return 'The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can’t contain more than one consecutive whitespace character.';
  if (new Set(names).size !== names.length) return 'Documents of one request need different names.';
  if (messages.some(({ content }) => content.some(({ document }) => document) && !content.some(({ text }) => text !== undefined))) return 'When you include a document, the content must have a text block, too.';
  return undefined;
}

/** Thoughts that have been changed are noticed. */
export const signatureOf = (text: string): string => createHmac('sha256', 'the local model').update(text).digest('base64');

export const thinks = ({ additionalModelRequestFields }: ConverseRequest): boolean => additionalModelRequestFields?.thinking !== undefined;

/** What the maker of a model that reasons would refuse. */
function reasoningProblem({ messages, inferenceConfig, additionalModelRequestFields }: ConverseRequest): string | undefined {
  const thoughts = messages.flatMap(({ content }) => content.flatMap(({ reasoningContent }) => reasoningContent ?? []));
  const isSigned = (thought: (typeof thoughts)[number]) => 'redactedContent' in thought || thought.reasoningText.signature === signatureOf(thought.reasoningText.text);
  if (!thoughts.every(isSigned)) return 'messages: Invalid `signature` in `thinking` block';
  const { thinking } = additionalModelRequestFields ?? {};
  if (!thinking) return undefined;
  if (thinking.budget_tokens >= (inferenceConfig?.maxTokens ?? Infinity)) return '`max_tokens` must be greater than `thinking.budget_tokens`';
  // The loop of tools that goes on begins behind the last words of the user.
  const loop = messages.slice(messages.findLastIndex((message) => message.role === 'user' && toolResultsOf(message).length === 0) + 1);
  const [first] = loop[0]?.content ?? [];
  return first && !first.reasoningContent ? 'messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block' : undefined;
}

/** Every toolUse has its toolResult in the next message, and no result comes without one. */
function pairingProblem(previous: Message | undefined, next: Message | undefined): string | undefined {
  const wanted = previous?.content.flatMap(({ toolUse }) => toolUse?.toolUseId ?? []) ?? [];
  const given = toolResultsOf(next).map(({ toolUseId }) => toolUseId);
  if (new Set(wanted).size !== wanted.length) return '`tool_use` ids must be unique.';
  const missing = wanted.filter((id) => !given.includes(id));
  if (missing.length > 0) return `Expected toolResult blocks at messages for the following Ids: ${missing.join(', ')}`;
  const unasked = given.filter((id) => !wanted.includes(id));
  if (unasked.length > 0 || given.length > wanted.length) return 'The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.';
  return undefined;
}
