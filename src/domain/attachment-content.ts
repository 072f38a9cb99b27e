import { attachmentTypes, type AttachmentType } from '../contracts/attachment-types';

type Format = (typeof attachmentTypes)[AttachmentType]['format'];

/** Converse takes no images that are wider or higher. */
const mostPixels = 8_000;

/** What is wrong with bytes that are said to be of this type; undefined: nothing that can be seen from outside. */
export function contentProblem(mediaType: AttachmentType, bytes: Uint8Array): string | undefined {
  if (bytes.byteLength === 0) return 'It is empty.';
  const { kind, format } = attachmentTypes[mediaType];
  if (!looksLike[format](bytes)) return `These bytes are no ${mediaType}.`;
  if (kind === 'document') return undefined;
  const size = sizeIn[format](bytes);
  if (!size || size.width < 1 || size.height < 1) return `The head of this ${mediaType} does not say how large the image is.`;
  return Math.max(size.width, size.height) > mostPixels ? `The image has ${size.width} × ${size.height} pixels; models take ${mostPixels} at most, either way.` : undefined;
}

const latin1 = new TextDecoder('latin1');
const textAt = (bytes: Uint8Array, start: number, end: number): string => latin1.decode(bytes.subarray(start, end));
const startsWith = (bytes: Uint8Array, ...expected: readonly number[]): boolean => expected.every((byte, index) => bytes[index] === byte);

function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0');
  } catch {
    return false;
  }
}

/** Files of Office are ZIP archives, which end with a list of what is in them. */
const isZipWith = (bytes: Uint8Array, folder: string): boolean => startsWith(bytes, 0x50, 0x4b, 0x03, 0x04) && latin1.decode(bytes).includes(folder);
/** Those of Office before 2007, with a list of streams, whose names are UTF-16. */
const isCompoundWith = (bytes: Uint8Array, ...streams: readonly string[]): boolean => {
  if (!startsWith(bytes, 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1)) return false;
  const text = latin1.decode(bytes);
  return streams.some((name) => text.includes(name.replaceAll(/./g, '$&\0')));
};

const looksLike: Readonly<Record<Format, (bytes: Uint8Array) => boolean>> = {
  png: (bytes) => startsWith(bytes, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
  jpeg: (bytes) => startsWith(bytes, 0xff, 0xd8, 0xff),
  gif: (bytes) => /^GIF8[79]a$/.test(textAt(bytes, 0, 6)),
  webp: (bytes) => textAt(bytes, 0, 4) === 'RIFF' && textAt(bytes, 8, 12) === 'WEBP',
  pdf: (bytes) => textAt(bytes, 0, 5) === '%PDF-',
  docx: (bytes) => isZipWith(bytes, 'word/'),
  xlsx: (bytes) => isZipWith(bytes, 'xl/'),
  doc: (bytes) => isCompoundWith(bytes, 'WordDocument'),
  xls: (bytes) => isCompoundWith(bytes, 'Workbook', 'Book'),
  csv: isText,
  html: isText,
  txt: isText,
  md: isText,
};

interface Size {
  readonly width: number;
  readonly height: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** As the head of each says it; undefined when it is cut short. */
const sizeIn: Readonly<Record<'png' | 'jpeg' | 'gif' | 'webp', (bytes: Uint8Array) => Size | undefined>> = {
  png: (bytes) => (bytes.byteLength < 24 ? undefined : { width: viewOf(bytes).getUint32(16), height: viewOf(bytes).getUint32(20) }),
  gif: (bytes) => (bytes.byteLength < 10 ? undefined : { width: viewOf(bytes).getUint16(6, true), height: viewOf(bytes).getUint16(8, true) }),
  webp: sizeOfWebp,
  jpeg: sizeOfJpeg,
};

/** @see https://developers.google.com/speed/webp/docs/riff_container */
function sizeOfWebp(bytes: Uint8Array): Size | undefined {
  if (bytes.byteLength < 30) return undefined;
  const view = viewOf(bytes);
  const at24 = (offset: number) => view.getUint16(offset, true) + (view.getUint8(offset + 2) << 16);
  switch (textAt(bytes, 12, 16)) {
    case 'VP8 ':
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case 'VP8L':
      return { width: (view.getUint32(21, true) & 0x3fff) + 1, height: ((view.getUint32(21, true) >>> 14) & 0x3fff) + 1 };
    case 'VP8X':
      return { width: at24(24) + 1, height: at24(27) + 1 };
    default:
      return undefined;
  }
}

/** Behind the other segments comes one that begins a frame. @see https://www.w3.org/Graphics/JPEG/itu-t81.pdf B.1.1.3 */
function sizeOfJpeg(bytes: Uint8Array): Size | undefined {
  const view = viewOf(bytes);
  for (let at = 2; at + 9 <= bytes.byteLength; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    // Bytes that only fill up, and markers without a segment.
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return undefined;
}
