import { EventStreamCodec } from '@smithy/eventstream-codec';
import { type Failure, type Thought, type TokenUsage, totalOf, type WantedCall } from './protocol';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

const frame = (headers: Record<string, string>, body: Uint8Array): Uint8Array =>
  codec.encode({
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { type: 'string', value }])),
    body,
  });

const json = (body: unknown): Uint8Array => Buffer.from(JSON.stringify(body));

/** A ConverseStream event as Bedrock frames it. */
export const eventFrame = (name: string, body: unknown): Uint8Array => rawEventFrame(name, json(body));

const rawEventFrame = (name: string, body: Uint8Array): Uint8Array =>
  frame({ ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' }, body);

/** An error in the middle of a stream. */
export const exceptionFrame = (name: string, message: string): Uint8Array =>
  frame({ ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' }, json({ message }));

/** Errors before a stream begins: status, `x-amzn-errortype`, message. */
export const refusals = {
  throttling: [429, 'ThrottlingException', 'Too many requests, please wait before trying again.'],
  unavailable: [503, 'ServiceUnavailableException', 'The service is temporarily unavailable.'],
  validation: [400, 'ValidationException', 'The request is not valid.'],
  'too-long': [400, 'ValidationException', 'Input is too long for requested model.'],
  internal: [500, 'InternalServerException', 'The system encountered an unexpected error.'],
} as const satisfies Record<Exclude<Failure['kind'], 'stream-error' | 'disconnect'>, readonly [number, string, string]>;

/** Words with the space after them: what is streamed one by one. */
export const wordsOf = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];

/** A deterministic stand-in for a tokenizer. */
export const tokensIn = (text: string): number => Math.ceil(text.length / 4);

export const startFrame = (): Uint8Array => eventFrame('messageStart', { role: 'assistant' });

/** Text is the first block of an answer, but for what was thought before it. */
export const textFrame = (text: string, contentBlockIndex: number): Uint8Array => eventFrame('contentBlockDelta', { contentBlockIndex, delta: { text } });

/** A block of thoughts: in words, and signed; or in a form that only their maker can read. */
export function* thoughtFrames({ text, redacted }: Thought, signature: string): Generator<Uint8Array> {
  const frame = (reasoningContent: object) => eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent } });
  if (redacted === true) yield frame({ redactedContent: Buffer.from(text).toString('base64') });
  else {
    for (const word of wordsOf(text)) yield frame({ text: word });
    yield frame({ signature });
  }
  yield eventFrame('contentBlockStop', { contentBlockIndex: 0 });
}

/** In pieces as small as a model's; of what is too long for anyone, larger ones. */
const piecesOf = (input: string): string[] => input.match(input.length < 10_000 ? /[^]{1,12}/g : /[^]{1,4096}/g) ?? [];

const inputFrameOf = (contentBlockIndex: number, input: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`{"contentBlockIndex":${contentBlockIndex},"delta":{"toolUse":{"input":"`), input, Buffer.from('"}}}')]);

/** The end of the text, if there was any, and each tool request with its input in pieces. */
/** @param before - blocks before the text. */
export function* callFrames(calls: readonly WantedCall[], { before, hasText }: { before: number; hasText: boolean }, newCallId: () => string): Generator<Uint8Array> {
  if (hasText) yield eventFrame('contentBlockStop', { contentBlockIndex: before });
  for (const [index, { name, input, rawInput, inputBytes, callId }] of calls.entries()) {
    const contentBlockIndex = before + index + (hasText ? 1 : 0);
    yield eventFrame('contentBlockStart', { contentBlockIndex, start: { toolUse: { toolUseId: callId ?? newCallId(), name } } });
    if (inputBytes) yield rawEventFrame('contentBlockDelta', inputFrameOf(contentBlockIndex, inputBytes));
    for (const piece of inputBytes ? [] : piecesOf(rawInput ?? JSON.stringify(input ?? {})))
      yield eventFrame('contentBlockDelta', { contentBlockIndex, delta: { toolUse: { input: piece } } });
    yield eventFrame('contentBlockStop', { contentBlockIndex });
  }
}

/** Why an answer stopped, and what it cost. */
export const endFrames = (stopReason: string, usage: TokenUsage, latencyMs: number): Uint8Array[] => [
  eventFrame('messageStop', { stopReason }),
  eventFrame('metadata', { usage: { ...usage, totalTokens: totalOf(usage) }, metrics: { latencyMs } }),
];
