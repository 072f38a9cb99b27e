import { DomainError } from '../../contracts/errors';
import type { HttpAnswer, HttpCaller } from '../../ports/http-caller';

/** Calls out with Node's own client. */
export const createHttpCaller = (): HttpCaller => ({
  async call({ method, url, headers, body, timeoutMs, maxResponseBytes, signal }) {
    try {
      const response = await fetch(url, {
        method,
        headers,
        ...(body !== undefined && { body }),
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const read = await readUpTo(response, maxResponseBytes);
      return { status: response.status, contentType: response.headers.get('content-type') ?? '', ...read };
    } catch (error) {
      if (signal.aborted) throw error;
      throw new DomainError('tool/failed', `${new URL(url).origin} gave no answer.`, { cause: error });
    }
  },
});

async function readUpTo(response: Response, maxBytes: number): Promise<Pick<HttpAnswer, 'body' | 'isCut'>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).byteLength;
    if (bytes >= maxBytes) break;
  }
  const body = Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8');
  return { body, isCut: bytes > maxBytes };
}
