/**
 * The same JSON with U+FFFD in place of each half of a character. JavaScript lets a text hold one, as does an escape in JSON (`"\\ud800"`);
 * UTF-8 cannot say it, and what stores or reads UTF-8 refuses the whole request.
 */
export function wellFormed<T>(value: T): T {
  return formed(value) as T;
}

/** The beginning of a text, of `most` UTF-16 units at most, without half a character at its end. */
export const shortenedTo = (text: string, most: number): string => text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '');

function formed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(formed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]: [string, unknown]) => [name.toWellFormed(), formed(inner)]));
}
