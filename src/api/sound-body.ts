import { InvalidRequest } from './problem';

/** More than any document or schema needs, and less than would end the stack of who looks through it. */
const maxDepth = 200;

type Place = readonly [path: string, value: unknown];

/**
 * Whatever a route's schema says, texts are of whole characters (JSON can say half of one, what stores UTF-8 refuses it), and nothing is nested
 * without end. Level by level: one that called itself would run out of stack on what it looks for.
 *
 * @throws InvalidRequest
 */
export function mustBeSound(body: unknown): void {
  let level: Place[] = [['body', body]];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === maxDepth && level.some(([, value]) => isObject(value))) throw new InvalidRequest([{ path: 'body', message: `nothing may be nested deeper than ${maxDepth} levels` }]);
    const halved = level.find(([path, value]) => !path.isWellFormed() || (typeof value === 'string' && !value.isWellFormed()));
    if (halved) throw new InvalidRequest([{ path: halved[0].toWellFormed(), message: 'it has half of a character, such as "\\ud83d" without the "\\ude00" behind it' }]);
    level = level.flatMap(inside);
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const inside = ([path, value]: Place): Place[] =>
  isObject(value) ? Object.entries(value).map(([name, inner]: [string, unknown]) => [`${path}.${name}`, inner] as const) : [];
