import type { IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { DomainError } from '../../contracts/errors';
import { mustHaveAnswered } from '../../domain/must-have-answered';
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

/**
 * The web's `fetch` as far as the MCP client needs it, over the connections that tools have: pinned, checked, bounded.
 *
 * @throws DomainError `tool/busy` with the time the server asks for, `tool/failed`, `tool/egress-refused`; `tool/bad-output` from an answer that is too long
 */
export function createPinnedFetch(send: PinnedSender, { origin, maxResponseBytes, signal }: Limits): FetchLike {
  return async (input, init = {}) => {
    const url = new URL(String(input));
    if (url.origin !== origin) throw new DomainError('tool/egress-refused', `${url.origin} is another server than ${origin}.`);
    if (init.body !== undefined && init.body !== null && typeof init.body !== 'string') throw new TypeError('The MCP client sends text');
    // Left when all is read, or nothing of it will be.
    const ending = endingWith([init.signal ?? undefined, signal]);
    const leave = () => ending[Symbol.dispose]();
    try {
      const headers = Object.fromEntries(new Headers(init.headers).entries());
      const response = await send(url, { method: init.method ?? 'GET', headers, ...(typeof init.body === 'string' && { body: init.body }), maxResponseBytes }, ending.signal);
      const status = response.statusCode ?? 0;
      mustHaveAnswered({ status, retryAfter: response.headers['retry-after'] }, origin);
      const bounded = response.pipe(bounding(maxResponseBytes, origin)).once('close', leave);
      response.on('error', (error) => bounded.destroy(error));
      const body = withoutBody.has(status) ? null : (Readable.toWeb(bounded) as ReadableStream);
      if (body === null) bounded.resume();
      return new Response(body, { status, headers: headersOf(response) });
    } catch (error) {
      leave();
      throw error;
    }
  };
}

const headersOf = ({ headers }: IncomingMessage): Headers => new Headers(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]])));

function bounding(maxBytes: number, origin: string): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) done(new DomainError('tool/bad-output', `${origin} answered with more than ${maxBytes} bytes, which nobody reads. It may have done what it was asked.`));
      else done(null, chunk);
    },
  });
}
