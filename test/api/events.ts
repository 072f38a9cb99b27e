import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { LiveEntry } from '../../src/contracts/events';
import type { ApiRequest } from './running-api';

export interface Received {
  readonly id: string | undefined;
  readonly entry: LiveEntry;
}

/** A stream of server-sent events as a client reads it; leaving the loop closes the connection. */
export async function* readEvents(url: string, request?: ApiRequest): AsyncGenerator<Received> {
  yield* await openEvents(url, request);
}

/** The same, once the stream is open: with its first entry, or after a quiet second. */
export async function openEvents(url: string, { method = 'GET', token = '', body, headers }: ApiRequest = {}): Promise<AsyncGenerator<Received>> {
  const response = await fetch(url, {
    method,
    headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (response.status !== 200 || !response.body) throw new Error(`No stream: ${response.status} ${await response.text()}`);
  return received(response.body);
}

async function* received(body: AsyncIterable<unknown>): AsyncGenerator<Received> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => void ready.push(event) });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    for (const { id, data } of ready.splice(0)) yield { id, entry: JSON.parse(data) as LiveEntry };
  }
}

/** Reads up to the first entry that fits, that one included. */
export async function readUntil(events: AsyncIterable<Received>, isLast: (entry: LiveEntry) => boolean): Promise<Received[]> {
  const received: Received[] = [];
  for await (const event of events) {
    received.push(event);
    if (isLast(event.entry)) break;
  }
  return received;
}

export const isTurnEnd = (entry: LiveEntry): boolean => entry.type === 'turn.completed';
