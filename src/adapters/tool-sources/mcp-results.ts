import { z } from 'zod';
import type { JsonValue } from '../../contracts/model';
import { shortenedTo } from '../../domain/well-formed';

/** Of a result, as the model is shown it. */
const maxOutputCharacters = 65_536;

/** Texts, those of embedded resources among them; of a link, and of a resource that is no text, where it is; of all else what it is. */
const Block = z.union([
  z.object({ type: z.literal('text'), text: z.string() }).transform(({ text }) => text),
  z.object({ type: z.literal('resource'), resource: z.object({ text: z.string() }) }).transform(({ resource: { text } }) => text),
  z.object({ type: z.literal('resource'), resource: z.object({ uri: z.string() }) }).transform(({ type, resource: { uri } }) => `[${type} ${uri}]`),
  z.object({ type: z.literal('resource_link'), uri: z.string() }).transform(({ type, uri }) => `[${type} ${uri}]`),
  z.object({ type: z.string(), mimeType: z.string() }).transform(({ type, mimeType }) => `[${type} ${mimeType}]`),
  z.object({ type: z.string() }).transform(({ type }) => `[${type}]`),
]);

/** The client's own check would lose a whole result for one block of a kind that it does not know. */
export const CallResult = z.object({
  content: z.array(Block).nullish(),
  structuredContent: z.record(z.string(), z.unknown()).nullish(),
  isError: z.boolean().nullish(),
});
type CallResult = z.infer<typeof CallResult>;

/** What the server made for machines, if it did; otherwise its blocks in words. */
export function outputOf({ structuredContent, content }: CallResult): JsonValue {
  const output = (structuredContent ?? (content ?? []).join('\n')) as JsonValue;
  const text = typeof output === 'string' ? output : JSON.stringify(output);
  return text.length > maxOutputCharacters ? `${shortenedTo(text, maxOutputCharacters)} … (cut)` : output;
}
