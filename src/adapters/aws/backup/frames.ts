import type { Envelope } from '../envelope';

/** Plain bytes in one frame; what a reader or writer holds in memory at a time. */
const frameBytes = 256 * 1_024;
const lengthBytes = 4;

export interface FramePlace {
  readonly tenant: string;
  readonly backup: string;
  readonly part: string;
}

/** A frame's place and whether it is the last are authenticated: none can be dropped, moved, or cut off at the end. */
const contextOf = (place: FramePlace, index: number, isLast: boolean) => ({ purpose: 'backup', ...place, frame: String(index), last: String(isLast) });

/** Seals a stream frame by frame: length (4 bytes, big endian), sealed bytes. */
export async function* sealFrames(envelope: Envelope, place: FramePlace, plain: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0);
  let index = 0;
  const frame = async (bytes: Buffer, isLast: boolean) => {
    const sealed = await envelope.seal(contextOf(place, index++, isLast), bytes);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(sealed.byteLength);
    return Buffer.concat([length, sealed]);
  };
  for await (const chunk of plain) {
    pending = Buffer.concat([pending, chunk]);
    for (; pending.byteLength > frameBytes; pending = pending.subarray(frameBytes)) yield await frame(pending.subarray(0, frameBytes), false);
  }
  yield await frame(pending, true);
}

/** @throws Error when a frame is missing, changed, out of place, or the last one is not there. */
export async function* openFrames(envelope: Envelope, place: FramePlace, sealed: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pending: Buffer = Buffer.alloc(0);
  let index = 0;
  // A frame is opened only when it is known whether another follows.
  for await (const chunk of sealed) {
    pending = Buffer.concat([pending, chunk]);
    for (let end = endOfFrame(pending); end !== undefined && end < pending.byteLength; end = endOfFrame(pending)) {
      yield await envelope.open(contextOf(place, index++, false), pending.subarray(lengthBytes, end));
      pending = pending.subarray(end);
    }
  }
  if (endOfFrame(pending) !== pending.byteLength) throw new Error('The last frame is cut short.');
  yield await envelope.open(contextOf(place, index, true), pending.subarray(lengthBytes));
}

function endOfFrame(bytes: Buffer): number | undefined {
  if (bytes.byteLength < lengthBytes) return undefined;
  const end = lengthBytes + bytes.readUInt32BE(0);
  return end <= bytes.byteLength ? end : undefined;
}
