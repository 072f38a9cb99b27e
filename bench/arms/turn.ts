import type { ModelMessage } from '../../src/contracts/model';
import type { ToolCall, TurnSteps } from './steps';

/** A turn as the plain arms take it: the model, its tools side by side, and the model again. @returns what it said. */
export async function takeTurn(steps: TurnSteps, text: string): Promise<string> {
  const question: ModelMessage = { role: 'user', content: [{ text }] };
  const wish = await steps.callModel([question]);
  const results = await Promise.all(callsIn(wish).map((call) => steps.runTool(call)));
  const last = await steps.callModel([question, wish, { role: 'user', content: results }]);
  return last.content.flatMap((block) => ('text' in block ? [block.text] : [])).join('');
}

const callsIn = ({ content }: ModelMessage): ToolCall[] => content.flatMap((block) => ('toolUse' in block ? [block.toolUse] : []));
