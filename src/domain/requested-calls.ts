import type { JsonValue } from '../contracts/model';
import { shortenedTo, wellFormed } from './well-formed';

/** A tool call as it came from the model. `input` is undefined when `rawInput` is not JSON. */
export interface RequestedCall {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonValue | undefined;
  readonly rawInput: string;
}

/** A call that can be logged, and shown to the model again. `problem` says, in words for the model, why it cannot be run. */
export interface SoundCall {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonValue;
  readonly problem: string | undefined;
}

/** Characters of one call's input, and of all inputs of one step. */
export const maxInputCharacters = 131_072;
const maxStepInputCharacters = 2 * maxInputCharacters;
/** Lists and objects inside each other. */
export const maxInputDepth = 32;
/** Of an input that is refused: enough to see what it was. */
const shownCharacters = 1_000;

/** What Converse takes as the name of a tool and as the id of a call. */
const nameOrId = /^[a-zA-Z0-9_-]{1,64}$/;
const noName = 'unknown_tool';

/**
 * Makes of a model's calls what can be kept. A name or an id that Converse would refuse would make it refuse every later request that
 * shows it; an id used twice would give two calls one result; an input without bounds would fill log and history.
 */
export function soundCalls(calls: readonly RequestedCall[]): SoundCall[] {
  const used = new Set<string>();
  let characters = 0;
  return calls.map(({ callId, name, input, rawInput }, index) => {
    const isNew = nameOrId.test(callId) && !used.has(callId);
    const soundId = isNew ? callId : freeId(index, used);
    used.add(soundId);
    characters += rawInput.length;
    const problem = characters > maxStepInputCharacters ? 'The inputs of this step are too long.' : problemWith(input, rawInput);
    const isKept = problem === undefined && input !== undefined;
    return { callId: soundId, name: nameOrId.test(name) ? name : noName, input: wellFormed(isKept ? input : shortenedTo(rawInput, shownCharacters)), problem };
  });
}

function freeId(index: number, used: ReadonlySet<string>): string {
  for (let number = index + 1; ; number += 1) if (!used.has(`call-${number}`)) return `call-${number}`;
}

function problemWith(input: JsonValue | undefined, rawInput: string): string | undefined {
  if (rawInput.length > maxInputCharacters) return `The tool input is longer than ${maxInputCharacters} characters.`;
  if (input === undefined) return 'The tool input is not valid JSON.';
  return isDeeperThan(input, maxInputDepth) ? `The tool input is nested deeper than ${maxInputDepth} levels.` : undefined;
}

/** Level by level: one that called itself would run out of stack on exactly what it looks for. */
function isDeeperThan(value: JsonValue, levels: number): boolean {
  let level: JsonValue[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levels) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return false;
}
