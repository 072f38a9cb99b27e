import type { JsonValue } from '../../contracts/model';
import { jsonIn } from '../../domain/structured-output';
import { schemaCheck } from './tools/schema-check';

/** Settings are kept in memory between turns: their schema is compiled once. */
const checks = new WeakMap<object, ReturnType<typeof schemaCheck>>();

/** The answer as the agent's schema wants it, or what is wrong with it, in words for the model. */
export function structuredAnswer(schema: { [key: string]: JsonValue }, text: string): { readonly value: JsonValue } | { readonly problem: string } {
  const value = jsonIn(text);
  if (value === undefined) return { problem: 'it is not JSON' };
  const check = checks.get(schema) ?? schemaCheck(schema);
  checks.set(schema, check);
  const problem = check(value);
  return problem === undefined ? { value } : { problem };
}
