import type { ConverseRequest, Message, Reply } from './protocol';

export interface OpenAiSettings {
  /** Such as http://127.0.0.1:11434/v1 */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

interface ChatCompletion {
  readonly choices?: readonly {
    readonly finish_reason?: string;
    readonly message?: { readonly content?: string | null; readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: string } }[] };
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number };
}

/** Asks an OpenAI-compatible server, so that a real model can answer on Bedrock's protocol. */
export async function forwardTo({ baseUrl, apiKey, model }: OpenAiSettings, request: ConverseRequest): Promise<Reply> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
    body: JSON.stringify({ model, max_tokens: request.inferenceConfig?.maxTokens, messages: toChat(request), ...toTools(request) }),
  });
  if (!response.ok) throw new Error(`The model at ${baseUrl} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  const { choices, usage } = (await response.json()) as ChatCompletion;
  const { message, finish_reason: finish } = choices?.[0] ?? {};
  const calls = (message?.tool_calls ?? []).map(({ function: { name, arguments: rawInput } }) => ({ name, rawInput }));
  return {
    text: message?.content ?? '',
    calls,
    stopReason: calls.length > 0 ? 'tool_use' : finish === 'length' ? 'max_tokens' : 'end_turn',
    usage: { inputTokens: usage?.prompt_tokens ?? 0, outputTokens: usage?.completion_tokens ?? 0 },
  };
}

const toTools = ({ toolConfig }: ConverseRequest) =>
  toolConfig && {
    tools: toolConfig.tools.map(({ toolSpec: { name, description, inputSchema } }) => ({ type: 'function', function: { name, description, parameters: inputSchema.json } })),
  };

const toChat = ({ system, messages }: ConverseRequest) => [
  ...(system ?? []).flatMap(({ text }) => (text === undefined ? [] : [{ role: 'system', content: text }])),
  ...messages.flatMap(toChatMessages),
];

/** A tool result is a message of its own there, and a content block here. */
function toChatMessages({ role, content }: Message): object[] {
  const text = content.flatMap((block) => block.text ?? []).join('\n');
  const calls = content.flatMap(({ toolUse }) =>
    toolUse ? [{ id: toolUse.toolUseId, type: 'function', function: { name: toolUse.name, arguments: JSON.stringify(toolUse.input) } }] : [],
  );
  const results = content.flatMap(({ toolResult }) =>
    toolResult ? [{ role: 'tool', tool_call_id: toolResult.toolUseId, content: JSON.stringify(toolResult.content[0]?.json ?? toolResult.content[0]?.text ?? '') }] : [],
  );
  const said = text !== '' || calls.length > 0 ? [{ role, content: text, ...(calls.length > 0 && { tool_calls: calls }) }] : [];
  return [...results, ...said];
}
