import { createBedrockModel } from '../../src/adapters/aws/bedrock-model';
import type { JsonValue, ModelMessage, ToolSpec } from '../../src/contracts/model';
import type { ModelChunk } from '../../src/ports/model';

const specOf = (name: string, description: string, input: string): ToolSpec => ({
  name,
  description,
  inputSchema: { type: 'object', properties: { [input]: { type: 'string' } } },
});

const specs = [
  specOf('calculator', 'Evaluates an arithmetic expression.', 'expression'),
  specOf('current_time', 'The time.', 'timeZone'),
  specOf('http_request', 'Calls an HTTP address.', 'url'),
];

export interface ToolCall {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonValue;
}

/** A call's result, as the next message carries it. */
export type ToolResult = Extract<ModelMessage, { role: 'user' }>['content'][number];

/** The model as every arm asks it. @returns its answer as it comes. */
export function plainModel(bedrockEndpoint: string): (messages: readonly ModelMessage[]) => AsyncIterable<ModelChunk> {
  const model = createBedrockModel({ region: 'us-east-1', endpoint: bedrockEndpoint });
  const question = { tenantId: 'bench', sessionId: 'bench', modelId: 'anthropic.claude-3-5-sonnet-20241022-v2:0', systemPrompt: 'You are a calculator.', tools: specs, maxOutputTokens: 2_048 };
  return (messages) => model.converse({ ...question, messages, signal: new AbortController().signal });
}

/** The steps of a turn, as plain functions: what remains of an arm is what its machinery costs. */
export function turnSteps(bedrockEndpoint: string) {
  const ask = plainModel(bedrockEndpoint);
  return {
    async callModel(messages: readonly ModelMessage[]): Promise<ModelMessage> {
      const content: Extract<ModelMessage, { role: 'assistant' }>['content'][number][] = [];
      let text = '';
      for await (const chunk of ask(messages)) {
        if (chunk.kind === 'text') text += chunk.text;
        if (chunk.kind === 'toolCall') content.push({ toolUse: { callId: chunk.callId, name: chunk.name, input: chunk.input ?? {} } });
      }
      return { role: 'assistant', content: text === '' ? content : [{ text }, ...content] };
    },

    async runTool({ callId, name, input }: ToolCall): Promise<ToolResult> {
      return { toolResult: { callId, output: await outputOf(name, input), isError: false } };
    },
  };
}

async function outputOf(name: string, input: JsonValue): Promise<JsonValue> {
  const { url, expression } = input as { url?: string; expression?: string };
  if (name === 'calculator') return { expression: expression ?? '', result: 17 * 23 };
  if (name === 'current_time') return { local: new Date().toISOString() };
  const response = await fetch(url ?? '');
  return { status: response.status, body: await response.text() };
}

export type TurnSteps = ReturnType<typeof turnSteps>;
