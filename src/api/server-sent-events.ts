import { once } from 'node:events';
import type { Response } from 'express';
import { textOfCursor } from '../contracts/events';
import type { Operation } from '../contracts/operation';
import { logFailure, problemOf } from './problem';
import type { RequestContext } from './request-context';
import type { Told } from './session-feed';

/** Entries of a session's log, or an operation each time it has changed. */
export type StreamEntry = Told | Operation;

/** Proxies close what is silent for longer. */
const heartbeatMs = 15_000;
/** A reader that takes nothing for so long has gone, whatever its connection says. */
export const stalledMs = 60_000;
/** How long a client waits before it reconnects by itself. */
const reconnectMs = 1_000;

/**
 * Writes entries as server-sent events whose id is their cursor or revision, no faster than the reader reads; comments keep a quiet
 * connection open. A failure before the first entry is answered as any other; a later one ends the stream with an
 * event `problem`, and the client goes on from its cursor.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function sendEvents(response: Response, entries: AsyncIterable<StreamEntry | 'idle'>, context: RequestContext): Promise<void> {
  const { signal, logger, requestId } = context;
  const iterator = entries[Symbol.asyncIterator]();
  const write = async (text: string): Promise<void> => {
    if (response.write(text) || signal.aborted) return;
    const cutOff = setTimeout(() => response.destroy(), stalledMs).unref();
    await once(response, 'drain', { signal }).finally(() => clearTimeout(cutOff));
  };
  try {
    let next = await iterator.next();
    begin(response);
    context.streamsSinceMs = performance.now();
    for (let lastWriteAtMs = performance.now(); next.done !== true && !signal.aborted; next = await iterator.next()) {
      if (next.value === 'idle' && performance.now() - lastWriteAtMs < heartbeatMs) continue;
      await write(next.value === 'idle' ? ': still here\n\n' : eventOf(next.value));
      lastWriteAtMs = performance.now();
    }
  } catch (error) {
    if (!response.headersSent) throw error;
    if (!signal.aborted) {
      const { problem } = problemOf(error, requestId);
      logFailure(logger, error, problem);
      context.brokenOffWith = problem.status;
      response.write(`event: problem\ndata: ${JSON.stringify(problem)}\n\n`);
    }
  } finally {
    await iterator.return?.();
  }
  response.end();
}

function begin(response: Response): void {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // Nginx would hold the stream back to fill its buffer.
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${reconnectMs}\n\n`);
}

function eventOf(told: StreamEntry): string {
  const [id, name, data] = 'revision' in told ? [told.revision, 'operation', told] : [textOfCursor(told.cursor), told.entry.type, told.entry];
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
