import type { JsonValue } from '../contracts/model';

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

/**
 * A schema that a stranger wrote as one that is safe to show and to check: a tree without references, at most so many schemas in it, of keywords whose
 * cost is known. What is beyond that says nothing, and so allows everything.
 *
 * @param schema - references in it are resolved already; it may contain itself. OpenAPI 3.0's own keywords are translated.
 */
export function plainSchema(schema: unknown): JsonValue {
  const budget = { left: maxSchemas };
  return plain(schema, budget, []);
}

function plain(schema: unknown, budget: { left: number }, above: readonly unknown[]): JsonValue {
  if (typeof schema === 'boolean') return schema;
  if (!isFields(schema) || budget.left <= 0 || above.length >= maxDepth || above.includes(schema)) return {};
  budget.left -= 1;
  const inside = (child: unknown) => plain(child, budget, [...above, schema]);
  const fields: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(schema)) {
    if (kept.has(name)) fields.push([name, simple(name, value)]);
    else if (name === 'properties' && isFields(value)) fields.push([name, Object.fromEntries(Object.entries(value).map(([property, child]) => [property, inside(child)]))]);
    else if ((name === 'items' || name === 'additionalProperties' || name === 'not') && !Array.isArray(value)) fields.push([name, inside(value)]);
    else if (['oneOf', 'anyOf', 'allOf', 'prefixItems'].includes(name) && Array.isArray(value) && value.length > 0) fields.push([name, value.map(inside)]);
    // A number since 2020-12; a mark beside the limit in OpenAPI 3.0, which then is a little too wide here.
    else if ((name === 'exclusiveMinimum' || name === 'exclusiveMaximum') && typeof value === 'number') fields.push([name, value]);
  }
  const made = Object.fromEntries(fields.filter(([name, value]) => isSound(name, value)));
  return schema['nullable'] === true ? { anyOf: [made, { type: 'null' }] } : made;
}

const simple = (name: string, value: unknown): JsonValue => (name === 'description' || name === 'title' ? String(value).slice(0, maxTextCharacters) : (value as JsonValue));

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
