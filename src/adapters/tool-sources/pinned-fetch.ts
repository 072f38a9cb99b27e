import { Readable, Transform } from 'node:stream';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { DomainError } from '../../contracts/errors';
import { endingWith } from '../../ending';
import type { PinnedSender } from '../http/http-caller';

interface Limits {
  /** The only one that is called: nobody leads elsewhere, not by a redirect and not by an answer. */
  readonly origin: string;
  /** Of each answer, a stream of events included. */
  readonly maxResponseBytes: number;
  /** Ends all that is open. */
  readonly signal: AbortSignal;
}

const withoutBody = new Set([101, 204, 205, 304]);

/** The web's `fetch` as far as the MCP client needs it, over the connections that tools have: pinned, checked, bounded. */
export function createPinnedFetch(send: PinnedSender, { origin, maxResponseBytes, signal }: Limits): FetchLike {
  return async (input, init = {}) => {
    const url = new URL(String(input));
    if (url.origin !== origin) throw new DomainError('tool/egress-refused', `${url.origin} is another server than ${origin}.`);
    if (init.body !== undefined && init.body !== null && typeof init.body !== 'string') throw new TypeError('The MCP client sends text');
    // Left by nobody: both signals end with the client's session.
    const ending = endingWith([init.signal ?? undefined, signal]);
    const headers = Object.fromEntries(new Headers(init.headers).entries());
    const response = await send(url, { method: init.method ?? 'GET', headers, ...(typeof init.body === 'string' && { body: init.body }), maxResponseBytes }, ending.signal);
    const status = response.statusCode ?? 0;
    const answered = new Headers(Object.entries(response.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]])));
    if (withoutBody.has(status)) {
      response.resume();
      return new Response(null, { status, headers: answered });
    }
    const bounded = response.pipe(bounding(maxResponseBytes));
    response.on('error', (error) => bounded.destroy(error));
    return new Response(Readable.toWeb(bounded) as ReadableStream, { status, headers: answered });
  };
}

function bounding(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) done(new Error(`The answer is longer than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}
