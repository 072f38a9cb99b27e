import type { JsonValue } from '../contracts/model';
import { type ListedTool, maxToolsOfSource, sourceSeparator, type ToolListing } from '../contracts/tool-source';
import { matchesName } from './name-pattern';
import { shortenedTo } from './well-formed';

const maxDescriptionCharacters = 1_000;
/** Of one tool as the model is shown it: it is paid for in every step. */
const maxToolCharacters = 16_384;
/** What Converse takes. */
const toolName = /^[A-Za-z0-9_-]{1,64}$/;
/** What models of Anthropic take as a property at the top of an input schema: for any other name they refuse the whole request. */
export const inputName = /^[A-Za-z0-9_.-]{1,64}$/;
/** What they refuse there, too. */
const combinators: ReadonlySet<string> = new Set(['oneOf', 'anyOf', 'allOf']);

/** A tool before it has its full name. */
export type FoundTool = Omit<ListedTool, 'name'> & { readonly name: string };

/** What can become of what a source has; what cannot is said why. */
export class Listing {
  private readonly tools = new Map<string, ListedTool>();
  private readonly leftOut: { name: string; reason: string }[] = [];

  constructor(private readonly source: string) {}

  add(found: FoundTool): void {
    const name = fullName(this.source, found.name);
    const tool = { ...found, name, description: shortenedTo(found.description, maxDescriptionCharacters) };
    const reason = this.reasonAgainst(tool);
    if (reason === undefined) this.tools.set(name, tool);
    else this.leaveOut(found.name, reason);
  }

  leaveOut(name: string, reason: string): void {
    if (this.leftOut.length < maxToolsOfSource) this.leftOut.push({ name: shortenedTo(name, 128), reason });
  }

  get listing(): ToolListing {
    return { tools: [...this.tools.values()], leftOut: this.leftOut };
  }

  private reasonAgainst(tool: ListedTool): string | undefined {
    if (!toolName.test(tool.name)) return 'Its name is longer than 64 characters with that of the source.';
    if (this.tools.has(tool.name)) return 'Another tool has the same name.';
    if (this.tools.size >= maxToolsOfSource) return `A source has ${maxToolsOfSource} tools at most.`;
    const oddInput = Object.keys(fieldsOf(fieldsOf(tool.inputSchema)['properties'])).find((input) => !inputName.test(input));
    if (oddInput !== undefined) return `Models take no input that is called ${JSON.stringify(oddInput.slice(0, 64))}: names are 1-64 of A-Za-z0-9_.-`;
    return JSON.stringify([tool.inputSchema, tool.outputSchema]).length > maxToolCharacters ? `Its schemas are longer than ${maxToolCharacters} characters.` : undefined;
  }
}

/** `orders__listBooks`; what no tool may be called is written as `_`. */
export const fullName = (source: string, name: string): string => `${source}${sourceSeparator}${name.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;

export const isOfSource = (tool: string): boolean => tool.includes(sourceSeparator);

export const sourceOf = (tool: string): string => tool.slice(0, tool.indexOf(sourceSeparator));

/** The names with those of each pattern (`orders__*`) in place of it, each once. */
export const expanded = (names: readonly string[], known: readonly string[]): string[] => [
  ...new Set(names.flatMap((name) => (name.endsWith('*') ? known.filter((one) => isOfSource(one) && matchesName(name, one)) : [name]))),
];

/** Servers that calls of these tools go to. */
export const originsOf = ({ tools }: ToolListing, url: string | undefined): string[] => [
  ...new Set([...(url === undefined ? [] : [url]), ...tools.flatMap(({ operation }) => (operation.kind === 'http' ? [operation.url] : []))].map(originOf)),
];

/** Parameters in braces stand behind it. */
const originOf = (url: string): string => /^https?:\/\/[^/?#]+/i.exec(url)?.[0].toLowerCase() ?? '';

/** The secret goes only where it was meant to go when it was set: a document that changes cannot send it elsewhere. */
export const mayShowSecret = ({ secretOrigins }: { readonly secretOrigins: readonly string[] }, url: string): boolean => secretOrigins.includes(originOf(url));

/** An input schema is an object's, and says so: Converse takes no other. @returns undefined when it is something else's. */
export function asObjectSchema(schema: JsonValue): JsonValue | undefined {
  const fields = fieldsOf(schema);
  const { type = 'object' } = fields;
  return type === 'object' || (Array.isArray(type) && type.includes('object')) ? { ...fields, type: 'object' } : undefined;
}

/** An input schema as models are shown it: what they do not take at its top they are told in words. A call is checked against all of it. */
export function shownSchema(schema: JsonValue): JsonValue {
  const fields = Object.entries(fieldsOf(schema));
  const told = fields.filter(([name]) => combinators.has(name));
  if (told.length === 0) return schema;
  const shown = Object.fromEntries(fields.filter(([name]) => !combinators.has(name)));
  const rule = `The input must fit this JSON Schema, too: ${JSON.stringify(Object.fromEntries(told))}`;
  return { ...shown, description: typeof shown['description'] === 'string' ? `${shown['description']}\n${rule}` : rule };
}

const fieldsOf = (value: JsonValue | undefined): { readonly [name: string]: JsonValue } => (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {});
