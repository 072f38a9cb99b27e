import { BedrockRuntimeClient, ConverseCommand, type Message } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createBedrockModel } from '../../src/adapters/aws/bedrock-model';
import { codeOf } from '../../src/contracts/errors';
import type { ModelMessage } from '../../src/contracts/model';
import { modelControl } from '../../src/local/model/control';
import { ModelServer } from '../../src/local/model/server';
import type { ModelChunk } from '../../src/ports/model';

const server = new ModelServer({ firstTokenMs: 0, msPerToken: 0 });
let url: string;
let control: ReturnType<typeof modelControl>;

beforeAll(async () => {
  // The SDK signs with whatever it finds; this server does not look.
  process.env['AWS_ACCESS_KEY_ID'] ??= 'any';
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'any';
  url = await server.start();
  control = modelControl(url);
});
beforeEach(() => control.reset());
afterAll(() => server.close());

const tool = (name: string) => ({ name, description: name, inputSchema: { type: 'object' } });
const user = (text: string): ModelMessage => ({ role: 'user', content: [{ text }] });

/** Through the platform's own adapter, as an activity calls it. */
async function ask(messages: readonly ModelMessage[], options: { tools?: string[]; signal?: AbortSignal } = {}): Promise<ModelChunk[]> {
  const chunks: ModelChunk[] = [];
  const model = createBedrockModel({ region: 'us-east-1', endpoint: url });
  const request = {
    tenantId: 'acme',
    modelId: 'anthropic.claude-3-5-sonnet-20241022-v2:0',
    systemPrompt: 'Be brief.',
    messages,
    tools: (options.tools ?? []).map(tool),
    maxOutputTokens: 100,
    signal: options.signal ?? new AbortController().signal,
  };
  for await (const chunk of model.converse(request)) chunks.push(chunk);
  return chunks;
}

const failure = (messages: readonly ModelMessage[]) => ask(messages).then(() => 'none', codeOf);

it('streams text in words, then why it stopped and what it cost', async () => {
  await control.script({ match: 'greet', steps: [{ say: 'Hello there, you.', usage: { inputTokens: 7, outputTokens: 4 } }] });
  expect(await ask([user('greet me')])).toEqual([
    { kind: 'text', text: 'Hello ' },
    { kind: 'text', text: 'there, ' },
    { kind: 'text', text: 'you.' },
    { kind: 'end', stopReason: 'end_turn', usage: { inputTokens: 7, outputTokens: 4 } },
  ]);
});

it('asks for two tools in one step, and hands on input that is not JSON as it is', async () => {
  const calls = [{ name: 'calculator', input: { expression: '1+1' } }, { name: 'recall', rawInput: '{"query": ' }];
  await control.script({ match: 'tools', steps: [{ calls }] });
  expect(await ask([user('tools')], { tools: ['calculator', 'recall'] })).toMatchObject([
    { kind: 'toolCall', name: 'calculator', input: { expression: '1+1' } },
    { kind: 'toolCall', name: 'recall', input: undefined, rawInput: '{"query": ' },
    { kind: 'end', stopReason: 'tool_use' },
  ]);
});

it.each(['max_tokens', 'stop_sequence', 'guardrail_intervened', 'content_filtered', 'malformed_tool_use'])('stops for the reason %s', async (stopReason) => {
  await control.script({ match: 'stop', steps: [{ say: 'x', stopReason }] });
  expect((await ask([user('stop')])).at(-1)).toMatchObject({ kind: 'end', stopReason });
});

it.each([
  ['throttling', 'model/throttled'],
  ['unavailable', 'model/unavailable'],
  ['internal', 'model/unavailable'],
  ['validation', 'model/refused'],
] as const)('fails with %s, which is %s', async (kind, code) => {
  await control.script({ match: 'fail', steps: [{ fail: { kind } }] });
  expect(await failure([user('fail')])).toBe(code);
});

it('breaks off in the middle of its answer', async () => {
  await control.script({ match: 'break', steps: [{ say: 'one two three', fail: { kind: 'stream-error', after: 2 } }] });
  expect(await failure([user('break')])).toBe('model/stream-broken');
});

it('notices a caller who leaves', async () => {
  await control.script({ match: 'leave', steps: [{ say: 'one two three', msPerToken: 30 }] });
  const leaving = new AbortController();
  const asked = ask([user('leave')], { signal: leaving.signal });
  while ((await control.served()).requests === 0);
  leaving.abort();
  await expect(asked).rejects.toThrow();
  while ((await control.served()).abandoned === 0);
  expect((await control.served()).abandoned).toBe(1);
});

it.each<[string, ModelMessage[]]>([
  ['begins with the assistant', [{ role: 'assistant', content: [{ text: 'x' }] }]],
  ['has two user messages in a row', [user('a'), user('b')]],
  ['leaves a tool request open', [user('a'), { role: 'assistant', content: [{ toolUse: { callId: 'c1', name: 'calculator', input: {} } }] }, user('b')]],
  ['holds blank text', [user('a'), { role: 'assistant', content: [{ text: ' \n' }] }, user('b')]],
])('refuses a conversation that %s, as Bedrock does', async (_what, messages) => {
  expect(await failure(messages)).toBe('model/refused');
});

it('is a believable assistant by its rules', async () => {
  const calls = async (text: string) =>
    (await ask([user(text)], { tools: ['remember', 'recall', 'calculator', 'current_time', 'http_request'] })).flatMap((chunk) => (chunk.kind === 'toolCall' ? [chunk.name] : []));
  expect(await calls('Store my preference: color=blue')).toEqual(['remember']);
  expect(await calls('What is my color preference?')).toEqual(['recall']);
  expect(await calls('What time is it, and what is 17*23?')).toEqual(['current_time', 'calculator']);
  expect(await calls('Place an order for 3 books at http://127.0.0.1:1/orders')).toEqual(['http_request']);
  expect(await calls('Hello')).toEqual([]);
});

it('answers Converse without a stream too', async () => {
  const client = new BedrockRuntimeClient({ region: 'us-east-1', endpoint: url, requestHandler: new NodeHttpHandler(), credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  await control.script({ match: 'plain', steps: [{ say: 'Plain answer.' }] });
  const messages: Message[] = [{ role: 'user', content: [{ text: 'plain' }] }];
  const { output, stopReason } = await client.send(new ConverseCommand({ modelId: 'm', messages }));
  expect([output?.message?.content, stopReason]).toEqual([[{ text: 'Plain answer.' }], 'end_turn']);
});
