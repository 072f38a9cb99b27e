import type { JsonValue } from '../contracts/model';

/** The names in a JSON Pointer (RFC 6901), outermost first. */
export const partsOfPointer = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** What a JSON Pointer leads to; undefined when it leads nowhere. */
export function valueAt(input: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = input;
  for (const name of partsOfPointer(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, JsonValue>)[name];
  }
  return value;
}
