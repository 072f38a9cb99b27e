import type { JsonValue } from '../contracts/model';
import { shortenedTo } from './well-formed';

/** Keywords that can be checked quickly, whatever they say. Patterns are left to whoever is called: one that a stranger wrote can take forever. */
const kept: ReadonlySet<string> = new Set([
  ...['type', 'title', 'description', 'enum', 'const', 'default', 'format', 'required', 'minimum', 'maximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
]);
const maxSchemas = 500;
const maxDepth = 10;
const maxTextCharacters = 500;

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Walk {
  left: number;
  /** Whether it is written so that what is left out allows more, and never less. */
  readonly loosens: boolean;
}

/**
 * A schema that a stranger wrote as one that is safe to show and to check: a tree without references, at most so many schemas in it, of keywords whose
 * cost is known. What is beyond that says nothing, and what would then allow less (`not`, `oneOf`) is written so that it does not: whatever fits the schema fits this one.
 *
 * @param schema - references in it are resolved already; it may contain itself. OpenAPI 3.0's own keywords are translated.
 */
export const plainSchema = (schema: unknown): JsonValue => plain(schema, { left: maxSchemas, loosens: true }, []);

/** Whether values can be checked against a schema as it is written. */
export const isPlain = (schema: JsonValue): boolean => JSON.stringify(plain(schema, { left: maxSchemas, loosens: false }, [])) === JSON.stringify(schema);

function plain(original: unknown, walk: Walk, above: readonly unknown[]): JsonValue {
  if (typeof original === 'boolean') return original;
  if (!isFields(original) || walk.left <= 0 || above.length >= maxDepth || above.includes(original)) return {};
  walk.left -= 1;
  const inside = (child: unknown) => plain(child, walk, [...above, original]);
  const schema = walk.loosens ? loosened(original) : original;
  const fields: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(schema)) {
    if (kept.has(name)) fields.push([name, simple(name, value)]);
    else if (name === 'properties' && isFields(value)) fields.push([name, Object.fromEntries(Object.entries(value).map(([property, child]) => [property, inside(child)]))]);
    else if ((name === 'items' || name === 'additionalProperties' || name === 'not') && value !== undefined && !Array.isArray(value)) fields.push([name, inside(value)]);
    else if (['oneOf', 'anyOf', 'allOf', 'prefixItems'].includes(name) && Array.isArray(value) && value.length > 0) fields.push([name, value.map(inside)]);
    // A number since 2020-12; a mark beside the limit in OpenAPI 3.0, which then is a little too wide here.
    else if ((name === 'exclusiveMinimum' || name === 'exclusiveMaximum') && typeof value === 'number') fields.push([name, value]);
  }
  const made = Object.fromEntries(fields.filter(([name, value]) => isSound(name, value)));
  return schema['nullable'] === true ? { anyOf: [made, { type: 'null' }] } : made;
}

/** What is not read of `patternProperties` may be what a property is allowed by; read-only ones are not the caller's to give. */
function loosened({ oneOf, anyOf, additionalProperties, required, ...rest }: Fields): Fields {
  const properties = isFields(rest['properties']) ? rest['properties'] : {};
  const isReadOnly = (name: unknown) => typeof name === 'string' && isFields(properties[name]) && properties[name]['readOnly'] === true;
  const alternatives = anyOf ?? oneOf;
  return {
    ...rest,
    not: undefined,
    ...(alternatives !== undefined && { anyOf: alternatives }),
    ...(additionalProperties !== undefined && rest['patternProperties'] === undefined && { additionalProperties }),
    ...(required !== undefined && { required: Array.isArray(required) ? required.filter((name) => !isReadOnly(name)) : required }),
  };
}

const simple = (name: string, value: unknown): JsonValue => (name === 'description' || name === 'title' ? shortenedTo(String(value), maxTextCharacters) : (value as JsonValue));

const types: ReadonlySet<string> = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);

/** What the checker would refuse to compile is left out. */
function isSound(name: string, value: JsonValue): boolean {
  if (name === 'type') return Array.isArray(value) ? value.length > 0 && value.every((one) => typeof one === 'string' && types.has(one)) && new Set(value).size === value.length : typeof value === 'string' && types.has(value);
  if (name === 'enum') return Array.isArray(value) && value.length > 0;
  if (name === 'required') return Array.isArray(value) && value.every((one) => typeof one === 'string') && new Set(value).size === value.length;
  if (name === 'format') return typeof value === 'string';
  if (name === 'multipleOf') return typeof value === 'number' && value > 0;
  if (name === 'minimum' || name === 'maximum') return typeof value === 'number';
  if (name.startsWith('min') || name.startsWith('max')) return Number.isInteger(value) && Number(value) >= 0;
  return true;
}
