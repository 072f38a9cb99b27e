/** @jest-environment ./test/support/outer-errors.ts */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { json, text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, type ConverseStreamOutput, type Message } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createBedrockModel } from '../../src/adapters/aws/bedrock-model';
import { codeOf, type DomainError } from '../../src/contracts/errors';
import type { Usage } from '../../src/contracts/events';
import type { ModelMessage, Reasoning } from '../../src/contracts/model';
import { clockMs } from '../../src/local/model/clock';
import { modelControl } from '../../src/local/model/control';
import { ModelServer } from '../../src/local/model/server';
import type { ModelChunk, ModelRequest } from '../../src/ports/model';

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
async function ask(messages: readonly ModelMessage[], options: { tools?: string[]; signal?: AbortSignal; heard?: ModelChunk[]; at?: string; within?: { firstEventTimeoutMs: number; silenceTimeoutMs: number }; more?: Partial<ModelRequest> } = {}): Promise<ModelChunk[]> {
  const chunks = options.heard ?? [];
  const model = createBedrockModel({ region: 'us-east-1', endpoint: options.at ?? url, ...options.within });
  const request = {
    tenantId: 'acme',
    sessionId: 'ses-1',
    modelId: 'anthropic.claude-3-5-sonnet-20241022-v2:0',
    systemPrompt: 'Be brief.',
    messages,
    tools: (options.tools ?? []).map(tool),
    maxOutputTokens: 100,
    signal: options.signal ?? new AbortController().signal,
    ...options.more,
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

it('says the clock: each word is when it was said, the first when the question came', async () => {
  await control.timing({ firstTokenMs: 5, msPerToken: 5 });
  const askedAtMs = clockMs();
  const said = (await ask([user('Say the clock 3 times.')])).flatMap((chunk) => (chunk.kind === 'text' ? [Number(chunk.text)] : []));
  await control.timing({ firstTokenMs: 0, msPerToken: 0 });
  const moments = [askedAtMs, ...said, clockMs()];
  expect(said).toHaveLength(3);
  expect(moments.toSorted((a, b) => a - b)).toEqual(moments);
  expect(new Set(moments).size).toBe(5);
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

it.each(['max_tokens', 'stop_sequence', 'guardrail_intervened', 'content_filtered', 'malformed_tool_use', 'model_context_window_exceeded', 'of_the_future'])('stops for the reason %s', async (stopReason) => {
  await control.script({ match: 'stop', steps: [{ say: 'x', stopReason }] });
  expect((await ask([user('stop')])).at(-1)).toMatchObject({ kind: 'end', stopReason });
});

it.each([
  ['throttling', 'model/throttled'],
  ['unavailable', 'model/unavailable'],
  ['internal', 'model/unavailable'],
  ['validation', 'model/refused'],
  ['too-long', 'model/context-overflow'],
] as const)('fails with %s, which is %s', async (kind, code) => {
  await control.script({ match: 'fail', steps: [{ fail: { kind } }] });
  expect(await failure([user('fail')])).toBe(code);
});

it('is asked again when it says', async () => {
  await control.script({ match: 'busy', steps: [{ fail: { kind: 'throttling', retryAfterSeconds: 7 } }, { fail: { kind: 'unavailable', retryAfterSeconds: 86_400 } }, { fail: { kind: 'throttling' } }] });
  const after = () => ask([user('busy')]).then(() => 'none', (error: unknown) => (error as DomainError).retryAfterSeconds);
  expect([await after(), await after(), await after()]).toEqual([7, 60, undefined]);
});

it('keeps what comes before a cache point, and says what that saved', async () => {
  const usage = async (promptCache?: ('system' | 'tools')[]) => {
    const end = (await ask([user('hello')], { tools: ['calculator'], more: { promptCache } })).at(-1);
    return end?.kind === 'end' ? end.usage : {};
  };
  const [plain, first, second, tools] = [await usage(), await usage(['system', 'tools']), await usage(['system', 'tools']), await usage(['tools'])] as Usage[];
  expect(first?.cacheWriteTokens).toBeGreaterThan(0);
  expect(second).toEqual({ inputTokens: first?.inputTokens, outputTokens: first?.outputTokens, cacheReadTokens: first?.cacheWriteTokens });
  expect(tools?.cacheWriteTokens).toBeLessThan(first?.cacheWriteTokens ?? 0);
  expect(plain).not.toHaveProperty('cacheWriteTokens');
  const [before, , request] = (await control.served()).latest.map((served) => served.request);
  expect([before?.system?.length, before?.toolConfig?.tools.length]).toEqual([1, 1]);
  expect([request?.system?.at(-1), request?.toolConfig?.tools.at(-1)]).toEqual([{ cachePoint: { type: 'default' } }, { cachePoint: { type: 'default' } }]);
});

describe('that reasons', () => {
  const more = { reasoningTokens: 1_024, maxOutputTokens: 2_000 };
  const wants = { name: 'calculator', input: { expression: '1+1' } };
  const result: ModelMessage = { role: 'user', content: [{ toolResult: { callId: 'c1', output: 2, isError: false } }] };
  const after = (reasoning: Reasoning | undefined): ModelMessage[] => [
    user('reason'),
    { role: 'assistant', content: [...(reasoning ? [{ reasoning }] : []), { toolUse: { callId: 'c1', name: 'calculator', input: {} } }] },
    result,
  ];

  it.each([false, true])('tells its thoughts apart from its words, and takes them back as they were (redacted: %s)', async (redacted) => {
    await control.script({ match: 'reason', steps: [{ think: 'Let me see.', redacted, say: 'I count.', calls: [wants] }] });
    const chunks = await ask([user('reason')], { tools: ['calculator'], more });
    expect(chunks.flatMap((chunk) => (chunk.kind === 'reasoning' ? [chunk.text] : [])).join('')).toBe(redacted ? '' : 'Let me see.');
    expect(chunks.flatMap((chunk) => (chunk.kind === 'text' ? [chunk.text] : [])).join('')).toBe('I count.');
    expect(chunks.map(({ kind }) => kind).slice(-2)).toEqual(['toolCall', 'end']);
    const block = chunks.flatMap((chunk) => (chunk.kind === 'reasoned' ? [chunk.block] : []))[0];
    expect((await ask(after(block), { tools: ['calculator'], more })).at(-1)).toMatchObject({ stopReason: 'end_turn' });
  });

  it('refuses thoughts that were changed or left out, and a budget that leaves nothing for the answer', async () => {
    const refusal = (messages: readonly ModelMessage[], changed = {}) => ask(messages, { tools: ['calculator'], more: { ...more, ...changed } }).then(() => 'none', (error: unknown) => (error as Error).message);
    expect(await refusal(after({ text: 'Let me see.', signature: 'forged' }))).toContain('Invalid `signature`');
    expect(await refusal(after(undefined))).toContain('must start with a thinking block');
    expect(await refusal([user('reason')], { maxOutputTokens: 1_024 })).toContain('max_tokens');
    expect(await refusal(after(undefined), { reasoningTokens: undefined })).toBe('none');
  });
});

it('asks a guardrail, whatever the model is like', async () => {
  const end = async (text: string, more: Partial<ModelRequest>) => (await ask([user(text)], { more })).at(-1);
  const guardrail = { id: 'gr1', version: '3' };
  expect(await end('this is [guarded]', { guardrail })).toMatchObject({ stopReason: 'guardrail_intervened' });
  expect(await end('this is not', { guardrail })).toMatchObject({ stopReason: 'end_turn' });
  expect(await end('this is [guarded]', {})).toMatchObject({ stopReason: 'end_turn' });
  expect((await control.served()).latest[0]?.request.guardrailConfig).toEqual({ guardrailIdentifier: 'gr1', guardrailVersion: '3' });
});

it('is told whose request it is, in terms that Bedrock takes', async () => {
  await ask([user('whose')]);
  const { latest } = await control.served();
  expect(latest.at(-1)?.request.requestMetadata).toEqual({ tenantId: 'acme', sessionId: 'ses-1' });
});

it.each(['stream-error', 'disconnect'] as const)('breaks off in the middle of its answer: %s', async (kind) => {
  await control.script({ match: 'break', steps: [{ say: 'one two three', fail: { kind, after: 2 } }] });
  const heard: ModelChunk[] = [];
  expect(await ask([user('break')], { heard }).then(() => 'none', codeOf)).toBe('model/stream-broken');
  expect(heard).toEqual([
    { kind: 'text', text: 'one ' },
    { kind: 'text', text: 'two ' },
  ]);
});

it('is out of reach when nobody listens', async () => {
  const nobody = createBedrockModel({ region: 'us-east-1', endpoint: 'http://127.0.0.1:1' });
  const request = { tenantId: 'acme', sessionId: 'ses-1', modelId: 'm', systemPrompt: 'x', messages: [user('x')], tools: [], maxOutputTokens: 1, signal: new AbortController().signal };
  expect(await nobody.converse(request)[Symbol.asyncIterator]().next().then(() => 'none', codeOf)).toBe('model/unavailable');
});

it('holds an answer until it is told to go on', async () => {
  await control.script({ match: 'hold', steps: [{ say: 'one two three', holdAfter: 1 }] });
  const heard: ModelChunk[] = [];
  const asked = ask([user('hold')], { heard });
  while ((await control.holding('hold')) === 0);
  expect(heard.length).toBeLessThanOrEqual(1);
  expect(await control.release('hold')).toBe(1);
  await asked;
  expect(heard.map((chunk) => chunk.kind)).toEqual(['text', 'text', 'text', 'end']);
});

it('holds the end of an answer that has no more words', async () => {
  await control.script({ match: 'hold', steps: [{ say: 'one two', holdAfter: 2 }] });
  const heard: ModelChunk[] = [];
  const asked = ask([user('hold')], { heard });
  while ((await control.holding('hold')) === 0 || heard.length < 2) await setImmediate();
  expect(heard.map((chunk) => chunk.kind)).toEqual(['text', 'text']);
  expect(await control.release('hold')).toBe(1);
  await asked;
  expect(heard.map((chunk) => chunk.kind)).toEqual(['text', 'text', 'end']);
});

it('holds no longer what its caller has left', async () => {
  await control.script({ match: 'hold', steps: [{ say: 'one two', holdAfter: 1 }] });
  const leaving = new AbortController();
  const asked = ask([user('hold')], { signal: leaving.signal });
  while ((await control.holding('hold')) === 0);
  leaving.abort();
  await expect(asked).rejects.toThrow();
  while ((await control.served()).abandoned === 0);
  expect([await control.holding('hold'), await control.release('hold')]).toEqual([0, 0]);
});

it('still knows what it holds when the same words get a new script', async () => {
  await control.script({ match: 'hold', steps: [{ say: 'old words', holdAfter: 1 }] });
  const asked = ask([user('hold')]);
  while ((await control.holding('hold')) === 0);
  await control.script({ match: 'hold', steps: [{ say: 'new' }] });
  expect([await control.holding('hold'), await control.release('hold')]).toEqual([1, 1]);
  expect((await asked).map((chunk) => chunk.kind)).toEqual(['text', 'text', 'end']);
  expect(await ask([user('hold')])).toMatchObject([{ kind: 'text', text: 'new' }, { kind: 'end' }]);
});

it('follows a script step by step, then its rules, or begins again', async () => {
  await control.script({ match: 'once', steps: [{ say: 'first' }, { say: 'second' }] });
  await control.script({ match: 'always', steps: [{ say: 'again' }], repeat: true });
  const say = async (text: string) => (await ask([user(text)])).flatMap((chunk) => (chunk.kind === 'text' ? [chunk.text] : [])).join('');
  expect([await say('once'), await say('once'), await say('always'), await say('always')]).toEqual(['first', 'second', 'again', 'again']);
  expect(await say('once')).toContain('local model');
});

it('may think longer before its first word than it may be silent after it', async () => {
  const within = { firstEventTimeoutMs: 20_000, silenceTimeoutMs: 300 };
  await control.script({ match: 'think', steps: [{ say: 'so', firstTokenMs: 900 }, { say: 'one two', holdAfter: 1 }] });
  expect(await ask([user('think')], { within })).toMatchObject([{ kind: 'text', text: 'so' }, { kind: 'end' }]);
  expect(await ask([user('think')], { within }).then(() => 'none', codeOf)).toBe('model/stream-broken');
  while ((await control.served()).abandoned === 0);
  await control.script({ match: 'think', steps: [{ say: 'late', firstTokenMs: 900 }] });
  expect(await ask([user('think')], { within: { firstEventTimeoutMs: 300, silenceTimeoutMs: 20_000 } }).then(() => 'none', codeOf)).toBe('model/stream-broken');
}, 20_000);

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
  expect(await calls('Please restore the backup, and denote the result')).toEqual([]);
  expect(await calls('What is (1 + 2) * 3?')).toEqual(['calculator']);
});

it.each(['1 ', '1', '(', 'my '])('reads a long message of %j in no time', async (piece) => {
  const startedAtMs = performance.now();
  await ask([user(`What is ${piece.repeat(100_000)}`)], { tools: ['recall', 'calculator'] });
  // To go back at each place would take minutes.
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
});

describe('on the wire, as the SDK reads it', () => {
  const client = () => new BedrockRuntimeClient({ region: 'us-east-1', endpoint: url, maxAttempts: 1, requestHandler: new NodeHttpHandler(), credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  const toolConfig = { tools: [{ toolSpec: { name: 'calculator', inputSchema: { json: { type: 'object' } } } }] };
  const messages: Message[] = [{ role: 'user', content: [{ text: 'wire' }] }];

  it('sends a tool’s input in pieces, each block with its own index, and ends with the usage', async () => {
    const input = { expression: '12345 * 67890' };
    await control.script({ match: 'wire', steps: [{ say: 'Let me see.', calls: [{ name: 'calculator', input }], usage: { inputTokens: 3, outputTokens: 5 } }] });
    const { stream } = await client().send(new ConverseStreamCommand({ modelId: 'm', messages, toolConfig }));
    const events: ConverseStreamOutput[] = [];
    for await (const event of stream ?? []) events.push(event);
    expect(events.map((event) => Object.keys(event)[0])).toEqual([
      'messageStart',
      ...['contentBlockDelta', 'contentBlockDelta', 'contentBlockDelta', 'contentBlockStop'],
      ...['contentBlockStart', 'contentBlockDelta', 'contentBlockDelta', 'contentBlockDelta', 'contentBlockStop'],
      ...['messageStop', 'metadata'],
    ]);
    const pieces = events.flatMap(({ contentBlockDelta: piece }) => (piece?.contentBlockIndex === 1 ? [piece.delta?.toolUse?.input ?? ''] : []));
    expect(JSON.parse(pieces.join(''))).toEqual(input);
    expect(events.at(-1)?.metadata?.usage).toEqual({ inputTokens: 3, outputTokens: 5, totalTokens: 8 });
  });

  it.each([
    ['throttling', 'ThrottlingException', 429],
    ['unavailable', 'ServiceUnavailableException', 503],
    ['validation', 'ValidationException', 400],
    ['internal', 'InternalServerException', 500],
  ] as const)('refuses with %s under Bedrock’s own name', async (kind, name, httpStatusCode) => {
    await control.script({ match: 'wire', steps: [{ fail: { kind } }] });
    await expect(client().send(new ConverseStreamCommand({ modelId: 'm', messages }))).rejects.toMatchObject({ name, $metadata: { httpStatusCode } });
  });

  it('puts an error into the stream under Bedrock’s own name', async () => {
    await control.script({ match: 'wire', steps: [{ say: 'one two', fail: { kind: 'stream-error', after: 1 } }] });
    const { stream } = await client().send(new ConverseStreamCommand({ modelId: 'm', messages }));
    const reading = (async () => {
      for await (const event of stream ?? []) expect(event).toBeDefined();
    })();
    await expect(reading).rejects.toMatchObject({ name: 'ModelStreamErrorException' });
  });

  it('answers Converse without a stream too', async () => {
    await control.script({ match: 'wire', steps: [{ say: 'Plain answer.', calls: [{ name: 'calculator', input: { expression: '1' } }] }] });
    const { output, stopReason } = await client().send(new ConverseCommand({ modelId: 'm', messages, toolConfig }));
    const toolUse = { toolUseId: expect.any(String) as string, name: 'calculator', input: { expression: '1' } };
    expect([output?.message?.content, stopReason]).toEqual([[{ text: 'Plain answer.' }, { toolUse }], 'tool_use']);
  });

  it.each<[string, Message[], object]>([
    ['a tool is used but not declared', [{ role: 'user', content: [{ text: 'a' }] }, { role: 'assistant', content: [{ toolUse: { toolUseId: '1', name: 'x', input: {} } }] }, { role: 'user', content: [{ toolResult: { toolUseId: '1', content: [{ text: 'y' }] } }] }], {}],
    ['a result was not asked for', [{ role: 'user', content: [{ toolResult: { toolUseId: '1', content: [{ text: 'y' }] } }] }], { toolConfig }],
    ['there are no messages', [], {}],
    ['a tool’s name is not legal', messages, { toolConfig: { tools: [{ toolSpec: { name: 'no spaces', inputSchema: { json: {} } } }] } }],
    ['an input is a choice between schemas', messages, { toolConfig: { tools: [{ toolSpec: { name: 'click', inputSchema: { json: { type: 'object', oneOf: [{ required: ['x'] }] } } } }] } }],
    ['an input has a name with brackets', messages, { toolConfig: { tools: [{ toolSpec: { name: 'list', inputSchema: { json: { type: 'object', properties: { 'page[size]': {} } } } } }] } }],
  ])('refuses when %s', async (_what, said, more) => {
    await expect(client().send(new ConverseCommand({ modelId: 'm', messages: said, ...more }))).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('refuses a body that is no JSON, and an address it does not have', async () => {
    expect((await fetch(`${url}/model/m/converse`, { method: 'POST', body: '{' })).status).toBe(400);
    expect((await fetch(`${url}/model/m/invoke`, { method: 'POST', body: '{}' })).status).toBe(404);
  });
});

describe('with another model behind it', () => {
  /** Speaks the streaming half of OpenAI's chat completions. */
  class ChatServer {
    readonly asked: { headers: IncomingMessage['headers']; body: Record<string, unknown> }[] = [];
    chunks: readonly object[] = [];
    status = 200;
    isEndless = false;
    left = 0;
    private readonly server = createServer((request, response) => {
      void json(request).then((body) => {
        this.asked.push({ headers: request.headers, body: body as Record<string, unknown> });
        response.once('close', () => (this.left += response.writableFinished ? 0 : 1));
        response.writeHead(this.status, { 'content-type': 'text/event-stream' });
        for (const chunk of this.chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
        if (!this.isEndless) response.end('data: [DONE]\n\n');
      });
    });

    async start(): Promise<string> {
      this.server.listen(0, '127.0.0.1');
      await once(this.server, 'listening');
      return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
    }

    close(): void {
      this.server.close();
      this.server.closeAllConnections();
    }
  }

  const delta = (content: object, finish_reason: string | null = null) => ({ choices: [{ delta: content, finish_reason }] });
  let chat: ChatServer;
  let forwarding: ModelServer;
  let at: string;
  beforeEach(async () => {
    chat = new ChatServer();
    const openAi = { baseUrl: await chat.start(), apiKey: 'secret', model: 'some-model' };
    forwarding = new ModelServer({ firstTokenMs: 0, msPerToken: 0, openAi });
    at = await forwarding.start();
  });
  afterEach(async () => {
    await forwarding.close();
    chat.close();
  });

  it('hands text on as it comes, and the tool requests and usage after it', async () => {
    chat.chunks = [
      delta({ role: 'assistant', content: 'Let me ' }),
      delta({ content: 'see — ünï.' }),
      delta({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'calculator', arguments: '{"expres' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: 'sion":"1+1"}' } }, { index: 1, id: 'c2', function: { name: 'recall', arguments: '{}' } }] }),
      delta({}, 'tool_calls'),
      { choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } },
    ];
    expect(await ask([user('hi')], { at, tools: ['calculator', 'recall'] })).toEqual([
      { kind: 'text', text: 'Let me ' },
      { kind: 'text', text: 'see — ünï.' },
      { kind: 'toolCall', callId: expect.any(String) as string, name: 'calculator', input: { expression: '1+1' }, rawInput: '{"expression":"1+1"}' },
      { kind: 'toolCall', callId: expect.any(String) as string, name: 'recall', input: {}, rawInput: '{}' },
      { kind: 'end', stopReason: 'tool_use', usage: { inputTokens: 11, outputTokens: 7 } },
    ]);
  });

  it('asks it in its own terms', async () => {
    chat.chunks = [delta({ content: 'Two.' }, 'length')];
    const conversation: ModelMessage[] = [
      user('add'),
      { role: 'assistant', content: [{ text: 'Adding.' }, { toolUse: { callId: 'c1', name: 'calculator', input: { expression: '1+1' } } }] },
      { role: 'user', content: [{ toolResult: { callId: 'c1', output: { result: '2' }, isError: false } }] },
    ];
    expect((await ask(conversation, { at, tools: ['calculator'] })).at(-1)).toMatchObject({ stopReason: 'max_tokens' });
    expect(chat.asked[0]?.headers.authorization).toBe('Bearer secret');
    expect(chat.asked[0]?.body).toMatchObject({
      model: 'some-model',
      max_tokens: 100,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'add' },
        { role: 'assistant', content: 'Adding.', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'calculator', arguments: '{"expression":"1+1"}' } }] },
        { role: 'tool', tool_call_id: 'c1', content: '{"result":"2"}' },
      ],
      tools: [{ type: 'function', function: { name: 'calculator', parameters: { type: 'object' } } }],
    });
  });

  it('loses nothing of a tool’s input on Converse either', async () => {
    const call = (name: string, argument: string, index: number) => ({ index, id: name, function: { name, arguments: argument } });
    chat.chunks = [delta({ tool_calls: [call('calculator', '{"expression":"1+1"}', 0), call('recall', '', 1), call('remember', '{"fact": ', 2)] })];
    const client = new BedrockRuntimeClient({ region: 'us-east-1', endpoint: at, requestHandler: new NodeHttpHandler(), credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
    const { output } = await client.send(new ConverseCommand({ modelId: 'm', messages: [{ role: 'user', content: [{ text: 'hi' }] }] }));
    expect(output?.message?.content?.map(({ toolUse }) => [toolUse?.name, toolUse?.input])).toEqual([
      ['calculator', { expression: '1+1' }],
      ['recall', {}],
      ['remember', '{"fact": '],
    ]);
  });

  it('fails as a whole when it fails', async () => {
    chat.status = 401;
    expect(await ask([user('hi')], { at }).then(() => 'none', codeOf)).toBe('model/unavailable');
  });

  it('lets it go when the caller leaves', async () => {
    chat.chunks = [delta({ content: 'one ' })];
    chat.isEndless = true;
    const leaving = new AbortController();
    const heard: ModelChunk[] = [];
    const asked = ask([user('hi')], { at, signal: leaving.signal, heard });
    while (heard.length === 0) await setImmediate();
    leaving.abort();
    await expect(asked).rejects.toThrow();
    while (chat.left === 0 || (await modelControl(at).served()).abandoned === 0) await setImmediate();
    expect([chat.left, (await modelControl(at).served()).abandoned]).toEqual([1, 1]);
  });
});

describe('as a process', () => {
  const run = (env: Record<string, string>) =>
    spawn(process.execPath, [path.join(__dirname, '../../dist/local/model/main.js')], { env: { PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });

  it('takes settings that are empty for settings that are not there', async () => {
    const child = run({ TENURE_OPENAI_BASE_URL: '', TENURE_OPENAI_API_KEY: '', TENURE_OPENAI_MODEL: '' });
    const [said] = (await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])) as [Buffer];
    expect(said.toString()).toMatch(/^model server on http:/);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('names the setting it cannot use', async () => {
    const child = run({ TENURE_OPENAI_BASE_URL: 'nowhere' });
    const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>]);
    expect([complaint, code]).toEqual([expect.stringMatching(/^The model server cannot use its settings\n.*TENURE_OPENAI_BASE_URL\n$/s), 1]);
  });
});
