import type { JsonValue } from '../contracts/model';

/** Told to the model behind its other instructions. */
export const withAnswerRule = (systemPrompt: string, schema: JsonValue | undefined): string =>
  schema === undefined ? systemPrompt : `${systemPrompt}\n\nWhen you have what you need, answer with JSON alone, without words or Markdown around it. It must fit this JSON Schema:\n${JSON.stringify(schema)}`;

/** Told to the model when its answer did not fit. */
export const rejectionNote = (problem: string): string => `(Your answer does not fit the JSON Schema: ${problem}. Answer again, with JSON alone that fits.)`;

const fence = /^```(?:json)?\s*\n([^]*)\n```$/;

/** What an answer says in JSON; models put it into a Markdown fence whatever they are told. @returns undefined when it is no JSON. */
export function jsonIn(text: string): JsonValue | undefined {
  const trimmed = text.trim();
  try {
    return JSON.parse(fence.exec(trimmed)?.[1] ?? trimmed) as JsonValue;
  } catch {
    return undefined;
  }
}
