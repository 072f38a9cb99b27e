import { createBedrockModel } from '../../src/adapters/aws/bedrock-model';
import type { JsonValue, ModelMessage, ToolSpec } from '../../src/contracts/model';

const tool: ToolSpec = {
  name: 'calculator',
  description: 'Evaluates an arithmetic expression.',
  inputSchema: { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'] },
};

/** The three steps of a turn with one tool, as plain functions: what remains of an arm is what its machinery costs. */
export function turnSteps(bedrockEndpoint: string) {
  const model = createBedrockModel({ region: 'us-east-1', endpoint: bedrockEndpoint });
  return {
    async callModel(messages: readonly ModelMessage[]): Promise<ModelMessage> {
      const content: Extract<ModelMessage, { role: 'assistant' }>['content'][number][] = [];
      let text = '';
      const signal = new AbortController().signal;
      for await (const chunk of model.converse({
        tenantId: 'bench',
        sessionId: 'bench',
        modelId: 'anthropic.claude-3-5-sonnet-20241022-v2:0',
        systemPrompt: 'You are a calculator.',
        messages,
        tools: [tool],
        maxOutputTokens: 256,
        signal,
      })) {
        if (chunk.kind === 'text') text += chunk.text;
        if (chunk.kind === 'toolCall') content.push({ toolUse: { callId: chunk.callId, name: chunk.name, input: chunk.input ?? {} } });
      }
      return { role: 'assistant', content: text === '' ? content : [{ text }, ...content] };
    },

    runTool(answer: ModelMessage): Promise<ModelMessage> {
      const calls = answer.content.flatMap((block) => ('toolUse' in block ? [block.toolUse] : []));
      const output: JsonValue = { result: 17 * 23 };
      return Promise.resolve({ role: 'user', content: calls.map(({ callId }) => ({ toolResult: { callId, output, isError: false } })) });
    },
  };
}

export type TurnSteps = ReturnType<typeof turnSteps>;
