import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { Failure, Reply } from './protocol';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

const frame = (headers: Record<string, string>, body: unknown): Uint8Array =>
  codec.encode({
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { type: 'string', value }])),
    body: Buffer.from(JSON.stringify(body)),
  });

/** A ConverseStream event as Bedrock frames it. */
export const eventFrame = (name: string, body: unknown): Uint8Array =>
  frame({ ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' }, body);

/** An error in the middle of a stream. */
export const exceptionFrame = (name: string, message: string): Uint8Array =>
  frame({ ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' }, { message });

/** Errors before a stream begins: status, `x-amzn-errortype`, message. */
export const refusals = {
  throttling: [429, 'ThrottlingException', 'Too many requests, please wait before trying again.'],
  unavailable: [503, 'ServiceUnavailableException', 'The service is temporarily unavailable.'],
  validation: [400, 'ValidationException', 'The request is not valid.'],
  internal: [500, 'InternalServerException', 'The system encountered an unexpected error.'],
} as const satisfies Record<Exclude<Failure['kind'], 'stream-error' | 'disconnect'>, readonly [number, string, string]>;

/** Words with the space after them: what is streamed one by one. */
export const wordsOf = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];

/** A deterministic stand-in for a tokenizer. */
export const tokensIn = (text: string): number => Math.ceil(text.length / 4);

/** One event of a stream, and how many words it is worth waiting for. */
export interface StreamPiece {
  readonly frame: Uint8Array;
  readonly isWord: boolean;
}

/** An answer as the stream of events that carries it, without its end. */
export function* contentPieces({ text, calls }: Reply, newCallId: () => string): Generator<StreamPiece> {
  const mark = (name: string, body: unknown): StreamPiece => ({ frame: eventFrame(name, body), isWord: false });
  yield mark('messageStart', { role: 'assistant' });
  const words = wordsOf(text);
  for (const word of words) yield { frame: eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: word } }), isWord: true };
  if (words.length > 0) yield mark('contentBlockStop', { contentBlockIndex: 0 });
  for (const [index, { name, input, rawInput }] of calls.entries()) {
    const contentBlockIndex = index + (words.length > 0 ? 1 : 0);
    yield mark('contentBlockStart', { contentBlockIndex, start: { toolUse: { toolUseId: newCallId(), name } } });
    for (const piece of (rawInput ?? JSON.stringify(input ?? {})).match(/[^]{1,12}/g) ?? [])
      yield mark('contentBlockDelta', { contentBlockIndex, delta: { toolUse: { input: piece } } });
    yield mark('contentBlockStop', { contentBlockIndex });
  }
}

/** The end of an answer: why it stopped, and what it cost. */
export const endPieces = (stopReason: string, usage: { inputTokens: number; outputTokens: number }, latencyMs: number): Uint8Array[] => [
  eventFrame('messageStop', { stopReason }),
  eventFrame('metadata', { usage: { ...usage, totalTokens: usage.inputTokens + usage.outputTokens }, metrics: { latencyMs } }),
];
