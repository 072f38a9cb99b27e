import { createParser } from 'eventsource-parser';
import { type Answer, type AnswerEnd, type ConverseRequest, type Message, toolSpecsOf } from './protocol';

export interface OpenAiSettings {
  /** Such as http://127.0.0.1:11434/v1 */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

/** One event of a streamed chat completion. */
interface Chunk {
  readonly choices?: readonly {
    readonly finish_reason?: string | null;
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly CallPiece[] };
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}
interface CallPiece {
  readonly index?: number;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

/** Asks an OpenAI-compatible server, so that a real model can answer on Bedrock's protocol; its text goes on as it comes. */
export async function* forwardTo(settings: OpenAiSettings, request: ConverseRequest, signal: AbortSignal): Answer {
  const calls: { name: string; rawInput: string }[] = [];
  let finish: string | undefined;
  let usage: AnswerEnd['usage'];
  for await (const chunk of chunksOf(await ask(settings, request, signal))) {
    const [choice] = chunk.choices ?? [];
    if (choice?.delta?.content) yield choice.delta.content;
    for (const { index = 0, function: piece } of choice?.delta?.tool_calls ?? []) {
      const call = (calls[index] ??= { name: '', rawInput: '' });
      call.name += piece?.name ?? '';
      call.rawInput += piece?.arguments ?? '';
    }
    finish = choice?.finish_reason ?? finish;
    if (chunk.usage) usage = { inputTokens: chunk.usage.prompt_tokens, outputTokens: chunk.usage.completion_tokens };
  }
  const stopReason = calls.length > 0 ? 'tool_use' : finish === 'length' ? 'max_tokens' : 'end_turn';
  return { calls, stopReason, ...(usage && { usage }) };
}

async function ask({ baseUrl, apiKey, model }: OpenAiSettings, request: ConverseRequest, signal: AbortSignal): Promise<Response> {
  const body = { model, stream: true, stream_options: { include_usage: true }, max_tokens: request.inferenceConfig?.maxTokens, messages: toChat(request), ...toTools(request) };
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw new Error(`The model at ${baseUrl} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response;
}

async function* chunksOf({ body }: Response): AsyncGenerator<Chunk> {
  const arrived: Chunk[] = [];
  const parser = createParser({ onEvent: ({ data }) => data !== '[DONE]' && arrived.push(JSON.parse(data) as Chunk) });
  const decoder = new TextDecoder();
  for await (const bytes of (body ?? []) as AsyncIterable<Uint8Array>) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* arrived.splice(0);
  }
}

const toTools = ({ toolConfig }: ConverseRequest) =>
  toolConfig && {
    tools: toolSpecsOf({ toolConfig }).map(({ name, description, inputSchema }) => ({ type: 'function', function: { name, description, parameters: inputSchema.json } })),
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
