import type { ModelMessage } from '../../src/contracts/model';
import type { ToolCall, TurnSteps } from './steps';

/** A turn as the plain arms take it: the model, and if it asks for tools, these side by side, and the model again. @returns what it said. */
export async function takeTurn(steps: TurnSteps, text: string): Promise<string> {
  const question: ModelMessage = { role: 'user', content: [{ text }] };
  const first = await steps.callModel([question]);
  const calls = callsIn(first);
  if (calls.length === 0) return textOf(first);
  const results = await Promise.all(calls.map((call) => steps.runTool(call)));
  return textOf(await steps.callModel([question, first, { role: 'user', content: results }]));
}

const textOf = ({ content }: ModelMessage): string => content.flatMap((block) => ('text' in block ? [block.text] : [])).join('');

const callsIn = ({ content }: ModelMessage): ToolCall[] => content.flatMap((block) => ('toolUse' in block ? [block.toolUse] : []));
