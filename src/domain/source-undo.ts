import type { JsonValue } from '../contracts/model';
import type { ListedTool, SourceUndo, ToolListing } from '../contracts/tool-source';
import { partsOfPointer, valueAt } from './json-pointer';
import { fullName } from './source-tools';

type Fields = Readonly<Record<string, JsonValue>>;
const fieldsOf = (value: JsonValue | undefined): Fields => (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {});

/** What a tool was given and what it answered. */
export interface DoneCall {
  readonly input: JsonValue;
  readonly output: JsonValue;
}

/** The tool of a source that takes another one back. */
export const toolNamed = (source: string, { tools }: Pick<ToolListing, 'tools'>, name: string): ListedTool | undefined => tools.find((tool) => tool.name === fullName(source, name));

/** What is wrong with what a source says of taking back, in words; undefined when it fits its operations. */
export function problemWithUndo(source: string, listing: ToolListing, undo: Readonly<Record<string, SourceUndo>>): string | undefined {
  for (const [name, way] of Object.entries(undo)) {
    const [done, back] = [toolNamed(source, listing, name), toolNamed(source, listing, way.call)];
    if (!done) return `undo.${name}: the source has no operation ${name}.`;
    if (!back) return `undo.${name}.call: the source has no operation ${way.call}.`;
    if (done.effect === 'read') return `undo.${name}: ${name} only reads.`;
    if (back.effect === 'read') return `undo.${name}.call: ${way.call} only reads.`;
    const problem = problemWithInput(back, done, way);
    if (problem !== undefined) return `undo.${name}.with: ${problem}`;
  }
  return undefined;
}

/** Only what the document says of the input is looked at: of answers it often says nothing. */
function problemWithInput(back: ListedTool, done: ListedTool, { with: ways }: SourceUndo): string | undefined {
  const { properties, required } = fieldsOf(back.inputSchema);
  const given = new Set(Object.keys(ways).map((target) => partsOfPointer(target)[0] ?? ''));
  const unknown = [...given].find((name) => !Object.hasOwn(fieldsOf(properties), name));
  if (unknown !== undefined) return `${back.name} takes no ${unknown}.`;
  const missing = (Array.isArray(required) ? required : []).filter((name) => typeof name === 'string').find((name) => !given.has(name));
  if (missing !== undefined) return `${back.name} needs ${missing}.`;
  const nested = Object.keys(ways).find((target) => Object.keys(ways).some((other) => other.startsWith(`${target}/`)));
  if (nested !== undefined) return `${nested} is given as a whole, and in parts.`;
  const ofInput = Object.values(ways).map(partsOfPointer).filter(([from]) => from === 'input');
  const lost = ofInput.find(([, name]) => name !== undefined && !Object.hasOwn(fieldsOf(fieldsOf(done.inputSchema)['properties']), name));
  return lost && `${done.name} takes no ${String(lost[1])}.`;
}

/** The input with which a call is taken back. @returns in words, what the call does not say. */
export function inputOfUndo({ with: ways }: SourceUndo, { input, output }: DoneCall): { readonly input: JsonValue } | { readonly problem: string } {
  let made: Fields = {};
  for (const [target, from] of Object.entries(ways)) {
    const value = valueAt({ input, output }, from);
    if (value === undefined) return { problem: `The call has nothing at ${from}, which is needed to take it back.` };
    made = placed(made, partsOfPointer(target), value);
  }
  return { input: made };
}

const placed = (into: Fields, [name = '', ...rest]: readonly string[], value: JsonValue): Fields => ({
  ...into,
  [name]: rest.length === 0 ? value : placed(fieldsOf(Object.hasOwn(into, name) ? into[name] : undefined), rest, value),
});
