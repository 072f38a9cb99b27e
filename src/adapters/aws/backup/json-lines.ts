/** JSON that brings back what DynamoDB gives: bytes and sets, too. One value a line. */
export const toLine = (record: unknown): Buffer => Buffer.from(`${JSON.stringify(encoded(record))}\n`);

function encoded(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (value instanceof Set) return { $set: [...value].map(encoded) };
  if (Array.isArray(value)) return value.map(encoded);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, encoded(inner)]));
  return value;
}

export const fromLine = (line: string): Record<string, unknown> =>
  JSON.parse(line, (_key, value: { $bytes?: unknown; $set?: unknown } | null) => {
    if (typeof value?.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
    return Array.isArray(value?.$set) ? new Set(value.$set) : value;
  }) as Record<string, unknown>;

/** Cuts a stream into lines; holds one at a time. */
export async function* linesIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      yield Buffer.concat([...pending, bytes.subarray(start, end)]).toString('utf8');
      pending = [];
      start = end + 1;
    }
    if (start < bytes.length) pending.push(bytes.subarray(start));
  }
  if (pending.length > 0) throw new Error('The last line is cut short.');
}

const newline = 0x0a;
