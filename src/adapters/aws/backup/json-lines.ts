/**
 * JSON that brings back what DynamoDB gives: bytes and sets, too, as attributes of an item. One value a line.
 * @throws Error for bytes or a set inside of another value: they would not come back.
 */
export const toLine = (record: object): Buffer => Buffer.from(`${JSON.stringify(mapValues(record, encodedAttribute))}\n`);

/** Brings back a line of {@link toLine}; of one written before JSON was escaped, too, in which `{"$set": […]}` deep inside is what somebody said. */
export const fromLine = (line: string): Record<string, unknown> => mapValues(JSON.parse(line) as object, decodedAttribute);

function encodedAttribute(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (value instanceof Set) return { $set: [...value].map(encodedAttribute) };
  return escaped(value);
}

function decodedAttribute(value: unknown): unknown {
  const [name, inner] = singleEntryOf(value) ?? [];
  if (name === '$bytes' && typeof inner === 'string') return Buffer.from(inner, 'base64');
  if (name === '$set' && Array.isArray(inner)) return new Set(inner.map(decodedAttribute));
  return unescaped(value);
}

/** JSON that looks like bytes or a set, and is neither, gets one `$` more. */
const escaped = (value: unknown): unknown => renamed(value, /^\$+(bytes|set)$/, (name) => `$${name}`);
const unescaped = (value: unknown): unknown => renamed(value, /^\$\$+(bytes|set)$/, (name) => name.slice(1));

function renamed(value: unknown, names: RegExp, rename: (name: string) => string): unknown {
  if (value instanceof Uint8Array || value instanceof Set) throw new Error('The backup does not know how to hold bytes or sets inside of an attribute.');
  const inside = (inner: unknown) => renamed(inner, names, rename);
  if (Array.isArray(value)) return value.map(inside);
  if (!isObject(value)) return value;
  const [name, inner] = singleEntryOf(value) ?? [];
  return name !== undefined && names.test(name) ? { [rename(name)]: inside(inner) } : mapValues(value, inside);
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function singleEntryOf(value: unknown): [string, unknown] | undefined {
  const entries: [string, unknown][] = isObject(value) ? Object.entries(value) : [];
  return entries.length === 1 ? entries[0] : undefined;
}

const mapValues = (value: object, change: (inner: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([name, inner]: [string, unknown]) => [name, change(inner)]));

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
