import type { Request } from 'express';
import { DomainError } from '../contracts/errors';

/** Of a request, read when its handler asks for it: whoever may not upload is refused before. */
export interface Upload {
  /** Without parameters, in lower case; undefined when the request names none. */
  readonly mediaType: string | undefined;
  /** @throws DomainError `attachment/too-large` as soon as it is known; `attachment/busy` when the process reads as much as it may. */
  read(mostBytes: number): Promise<Buffer>;
}

/** Bytes of uploads that one process takes in at once: each is in memory as it comes, whole, and sealed. */
const mostBytesAtOnce = 32 * 1_024 * 1_024;
/** Of them one tenant's: however slowly its users send, others still get through. */
const mostBytesOfTenant = mostBytesAtOnce / 2;
const busyForSeconds = 2;

/** Takes in what is uploaded, never more at once than memory allows. */
export function createUploads({ atOnce = mostBytesAtOnce, ofTenant = mostBytesOfTenant }: { atOnce?: number; ofTenant?: number } = {}) {
  let held = 0;
  const heldOf = new Map<string, number>();

  function take(tenantId: string, bytes: number): () => void {
    const own = heldOf.get(tenantId) ?? 0;
    if (held + bytes > atOnce || own + bytes > ofTenant) throw new DomainError('attachment/busy', 'Others are uploading just now. Try again in a moment.', { retryAfterSeconds: busyForSeconds });
    held += bytes;
    heldOf.set(tenantId, own + bytes);
    return () => {
      held -= bytes;
      const left = (heldOf.get(tenantId) ?? 0) - bytes;
      if (left > 0) heldOf.set(tenantId, left);
      else heldOf.delete(tenantId);
    };
  }

  /** @returns the upload of a request, and `done`: its memory is free again. */
  return (request: Request, tenantId: string): Upload & { done(): void } => {
    const taken: (() => void)[] = [];
    return {
      mediaType: request.get('Content-Type')?.split(';')[0]?.trim().toLowerCase(),
      async read(mostBytes) {
        const encoding = request.get('Content-Encoding') ?? 'identity';
        if (encoding !== 'identity') throw new DomainError('attachment/unsupported-type', 'Send the bytes as they are, without a content encoding.');
        const declared = Number(request.get('Content-Length') ?? mostBytes);
        if (declared > mostBytes) throw tooLarge(mostBytes);
        taken.push(take(tenantId, declared));
        return bytesOf(request, mostBytes);
      },
      done: () => taken.splice(0).forEach((giveBack) => giveBack()),
    };
  };
}

const tooLarge = (mostBytes: number) => new DomainError('attachment/too-large', `It may have ${mostBytes} bytes.`);

/** Breaks off at the first byte too many. */
async function bytesOf(request: Request, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Whoever is refused in the middle must still be able to read the answer: the request is not destroyed, what comes of it is thrown away.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) {
      request.resume();
      throw tooLarge(mostBytes);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
