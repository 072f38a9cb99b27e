import { LRUCache } from 'lru-cache';
import { schemaCheck } from '../../contracts/json-schema';
import type { JsonValue } from '../../contracts/model';
import { jsonIn } from '../../domain/structured-output';

/** By the schema's text: settings are read anew every few seconds, and say the same. */
const checks = new LRUCache<string, ReturnType<typeof schemaCheck>>({ max: 500 });

/** The answer as the agent's schema wants it, or what is wrong with it, in words for the model. */
export function structuredAnswer(schema: { [key: string]: JsonValue }, text: string): { readonly value: JsonValue } | { readonly problem: string } {
  const value = jsonIn(text);
  if (value === undefined) return { problem: 'it is not JSON' };
  const key = JSON.stringify(schema);
  const check = checks.get(key) ?? schemaCheck(schema);
  checks.set(key, check);
  const problem = check(value);
  return problem === undefined ? { value } : { problem };
}
