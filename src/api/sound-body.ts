import { InvalidRequest } from './problem';

/** More than any document or schema needs, and less than would end the stack of who looks through it. */
const maxDepth = 200;

interface Place {
  readonly name: string;
  readonly value: unknown;
  readonly above?: Place;
}

/**
 * Whatever a route's schema says, texts are of whole characters (JSON can say half of one, what stores UTF-8 refuses it), no name
 * gets lost on the way, and nothing is nested without end. Level by level: one that called itself would run out of stack on what it looks for.
 *
 * @throws InvalidRequest
 */
export function mustBeSound(body: unknown): void {
  let level: Place[] = [{ name: 'body', value: body }];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === maxDepth && level.some(({ value }) => isObject(value))) throw new InvalidRequest([{ path: 'body', message: `nothing may be nested deeper than ${maxDepth} levels` }]);
    const halved = level.find(({ name, value }) => !name.isWellFormed() || (typeof value === 'string' && !value.isWellFormed()));
    if (halved) throw new InvalidRequest([{ path: pathOf(halved).toWellFormed(), message: 'it has half of a character, such as "\\ud83d" without the "\\ude00" behind it' }]);
    const lost = level.find(({ name }) => name === '__proto__');
    if (lost) throw new InvalidRequest([{ path: pathOf(lost), message: 'this name is left out by whoever reads it next: choose another' }], 'request/inconsistent');
    level = level.flatMap(inside);
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const inside = (above: Place): Place[] => (isObject(above.value) ? Object.entries(above.value).map(([name, value]: [string, unknown]) => ({ name, value, above })) : []);

/** Only of the one that is told: names are as long as a stranger likes, and each may have as many beneath it. */
const pathOf = ({ name, above }: Place): string => (above ? `${pathOf(above)}.${name}` : name);
