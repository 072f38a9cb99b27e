import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ListToolsRequestSchema, type ListToolsResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { type SourceToolDeps, toolsOfSource } from '../../../src/activities/session/tools/source-tools';
import { createHttpCaller, createPinnedSender } from '../../../src/adapters/http/http-caller';
import { createToolLister } from '../../../src/adapters/tool-sources/lister';
import { createMcpServers } from '../../../src/adapters/tool-sources/mcp-servers';
import { createPinnedFetch } from '../../../src/adapters/tool-sources/pinned-fetch';
import { codeOf } from '../../../src/contracts/errors';
import type { McpSettings, ToolSource } from '../../../src/contracts/tool-source';
import { problemWith } from '../../../src/local/model/protocol';
import { collectGarbage } from '../../support/collect-garbage';

const send = createPinnedSender({ privateAddresses: ['127.0.0.1'] });
const mcp = createMcpServers({ send });
const running: Server[] = [];
afterEach(() => {
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  running.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const accessTo = (url: string, settings: Partial<McpSettings> = {}) => ({ name: 'docs', settings: { kind: 'mcp' as const, url, trustsAnnotations: false, ...settings }, secret: undefined });
const never = new AbortController().signal;
const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'nothing thrown', codeOf);
const call = (url: string, tool: string, onChange: () => void = () => undefined, timeoutMs = 5_000) =>
  mcp.call(accessTo(url), { tool, input: {}, idempotencyKey: 'turn/1/call', timeoutMs, signal: never, onChange });

/** A server of the SDK's, one for each session; `grow` gives itself another tool while it is called. With `onEnd` it answers nothing to the end of a session, with `onCall` that to what is asked in one. */
async function honestServer({ onEnd, onCall }: { onEnd?: () => number; onCall?: (response: ServerResponse) => unknown } = {}): Promise<{ url: string; calls: () => number }> {
  let calls = 0;
  const begun = new Set<unknown>();
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const origin = await serve((request, response) => {
    if (onEnd && request.method === 'DELETE') return void onEnd();
    const known = sessions.get(String(request.headers['mcp-session-id']));
    // The first is told, not asked: that the client is ready.
    if (known && onCall && request.method === 'POST' && begun.size === begun.add(known).size) return void onCall(response);
    if (known) return void known.handleRequest(request, response);
    const server = new McpServer({ name: 'honest', version: '1' });
    server.registerTool('look', { description: 'Looks', inputSchema: { at: z.string().optional() }, annotations: { readOnlyHint: true } }, () => ({ content: [{ type: 'text', text: 'seen' }] }));
    server.registerTool('grow', { description: 'Grows' }, async () => {
      calls += 1;
      server.registerTool('new', { description: 'New' }, () => ({ content: [] }));
      await server.server.sendToolListChanged();
      return { content: [{ type: 'text', text: 'grown' }] };
    });
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => `session-${sessions.size}`, onsessioninitialized: (id) => void sessions.set(id, transport) });
    void server.connect(transport as Transport).then(() => transport.handleRequest(request, response));
  });
  return { url: `${origin}/mcp`, calls: () => calls };
}

/** What answers the call of a session: the client's second request, behind the one that opened it. */
const answerOf = (result: object) => JSON.stringify({ jsonrpc: '2.0', id: 1, result });

/** A server that says of its tools whatever it is told to. */
const oddServer = (list: (cursor: string | undefined) => object): Promise<string> =>
  serve((request, response) => {
    const { server } = new McpServer({ name: 'odd', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, ({ params }) => list(params?.cursor) as ListToolsResult);
    const transport = new StreamableHTTPServerTransport({});
    void server.connect(transport as Transport).then(() => transport.handleRequest(request, response));
  });

it("lists tools, and believes the server's word on them only where the tenant does", async () => {
  const { url } = await honestServer();
  const effects = async (settings: Partial<McpSettings>) => (await mcp.list(accessTo(url, settings), never)).tools.map(({ name, effect }) => [name, effect]);
  expect(await effects({})).toEqual([['docs__look', 'write'], ['docs__grow', 'write']]);
  expect(await effects({ trustsAnnotations: true })).toEqual([['docs__look', 'read'], ['docs__grow', 'write']]);
});

it('makes tools that every model takes, and checks all that their schemas say', async () => {
  const click = { description: 'Clicks', inputSchema: { type: 'object', properties: { index: { type: 'integer' }, x: { type: 'integer' } }, anyOf: [{ required: ['index'] }, { required: ['x'] }] } };
  const ask = { inputSchema: { type: 'object', properties: { 'opt fields': { type: 'string' } } } };
  const url = await oddServer(() => ({ tools: [{ name: 'click', ...click }, { name: 'ask', ...ask }] }));
  const listing = await mcp.list(accessTo(url), never);
  expect(listing.leftOut).toEqual([{ name: 'ask', reason: expect.stringContaining('"opt fields"') as string }]);

  const [tool] = toolsOfSource({} as SourceToolDeps, { ...accessTo(url), listing } as unknown as ToolSource);
  expect([tool?.problemWith({ x: 1 }), tool?.problemWith({})]).toEqual([undefined, expect.stringContaining("must have required property 'index'")]);
  const { name = '', inputSchema = null } = tool?.spec ?? {};
  expect(problemWith({ messages: [{ role: 'user', content: [{ text: 'hello' }] }], toolConfig: { tools: [{ toolSpec: { name, inputSchema: { json: inputSchema } } }] } })).toBeUndefined();
  expect(inputSchema).toHaveProperty('description', expect.stringContaining('{"anyOf":[{"required":["index"]},{"required":["x"]}]}'));
});

it('leaves out a tool that is odd, not its server with all others', async () => {
  const inputSchema = { type: 'object', properties: { a: { type: 'string' } } };
  const sound = [
    { name: 'plain', inputSchema },
    { name: 'typeless', inputSchema: { properties: inputSchema.properties } },
    { name: 'alternatives', inputSchema, outputSchema: { anyOf: [{ type: 'object' }] } },
    { name: 'another-dialect', inputSchema, outputSchema: { type: 'object', properties: { a: { type: 'string', pattern: '(?i)^x' } } } },
    { name: 'maybe-a-task', inputSchema, execution: { taskSupport: 'optional' } },
    { name: 'untitled', title: 5, description: null, annotations: 'none', inputSchema },
  ];
  const odd = [
    { name: 'nowhere', inputSchema, outputSchema: { type: 'object', properties: { a: { $ref: '#/$defs/Gone' } } } },
    { name: 'a-list', inputSchema: { type: 'array' } },
    { name: 'no-schema' },
    { name: 'a-task', inputSchema, execution: { taskSupport: 'required' } },
    { inputSchema },
    null,
  ];
  const { tools, leftOut } = await mcp.list(accessTo(await oddServer(() => ({ tools: [...odd, ...sound], nextCursor: null }))), never);
  expect(tools.map(({ name }) => name)).toEqual(sound.map(({ name }) => `docs__${name}`));
  expect(leftOut.map(({ name }) => name)).toEqual(['nowhere', 'a-list', 'no-schema', 'a-task', '?', '?']);
  expect(tools[1]?.inputSchema).toEqual(inputSchema);
});

it('says that there are more tools than it reads', async () => {
  const pages = (count: number) => oddServer((cursor = '1') => ({ tools: [1, 2, 3].map((one) => ({ name: `t${cursor}-${one}`, inputSchema: { type: 'object' } })), ...(Number(cursor) < count && { nextCursor: String(Number(cursor) + 1) }) }));
  const few = await mcp.list(accessTo(await pages(20)), never);
  expect([few.tools.length, few.leftOut]).toEqual([60, []]);
  const many = await mcp.list(accessTo(await pages(21)), never);
  expect([many.tools.length, many.leftOut]).toEqual([60, [{ name: '*', reason: expect.stringContaining('more tools') as string }]]);
});

it('waits a second at most for a server to hear that a session has ended', async () => {
  let ended = 0;
  const { url } = await honestServer({ onEnd: () => (ended += 1) });
  const begunMs = performance.now();
  expect(await call(url, 'look', undefined, 60_000)).toMatchObject({ output: 'seen' });
  expect([ended, performance.now() - begunMs < 30_000]).toEqual([1, true]);
});

it('hears during a call that the tools have changed', async () => {
  const { url, calls } = await honestServer();
  let heard: () => void = () => undefined;
  const changed = new Promise<void>((resolve) => (heard = resolve));
  expect(await call(url, 'grow', heard)).toMatchObject({ isError: false, output: 'grown' });
  await changed;
  expect(calls()).toBe(1);
});

it('gives the model what a server says, in whatever blocks', async () => {
  const text = { type: 'resource', resource: { uri: 'repo://src/a.ts', mimeType: 'text/plain', text: 'const a = 1;' } };
  const blob = { type: 'resource', resource: { uri: 'repo://logo.png', mimeType: 'image/png', blob: 'aaaa' } };
  const link = { type: 'resource_link', uri: 'https://docs.example.com/a', name: 'a' };
  const image = { type: 'image', data: 'aaaa', mimeType: 'image/png' };
  const content = [{ type: 'text', text: 'found' }, text, blob, link, image, { type: 'hologram', data: 'aaaa' }];
  const { url } = await honestServer({ onCall: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(answerOf({ content })) });
  const { output } = await call(url, 'look');
  expect(output).toBe(['found', 'const a = 1;', '[resource repo://logo.png]', '[resource_link https://docs.example.com/a]', '[image image/png]', '[hologram]'].join('\n'));
});

it('follows no redirect, to nowhere', async () => {
  let led = 0;
  const elsewhere = await serve((_request, response) => void response.end(String((led += 1))));
  const url = await serve((_request, response) => void response.writeHead(307, { location: `${elsewhere}/mcp` }).end());
  expect(await codeFrom(call(url, 'x'))).toBe('tool/refused');
  expect(led).toBe(0);
});

it('asks no other server, whoever names it', async () => {
  let asked = 0;
  const elsewhere = await serve((_request, response) => void response.end(String((asked += 1))));
  const fetch = createPinnedFetch(send, { origin: await serve(() => undefined), maxResponseBytes: 1_000, signal: never });
  expect(await codeFrom(fetch(`${elsewhere}/mcp`))).toBe('tool/egress-refused');
  expect(asked).toBe(0);
});

it.each([429, 503])('leaves a server that answers %s alone for as long as it asks for', async (status) => {
  const refuse = (response: ServerResponse) => response.writeHead(status, { 'retry-after': '7' }).end();
  const busy = { code: 'tool/busy', retryAfterSeconds: 7 };
  await expect(call((await honestServer({ onCall: refuse })).url, 'look')).rejects.toMatchObject(busy);
  await expect(call(await serve((_request, response) => void refuse(response)), 'look')).rejects.toMatchObject(busy);
});

it('calls nobody at an address that is closed to tools', async () => {
  expect(await codeFrom(call('http://169.254.169.254/mcp', 'x'))).toBe('tool/egress-refused');
  expect(await codeFrom(call('http://127.0.0.1:1/mcp', 'x'))).toBe('tool/unreachable');
});

it('gives up on answers without end, and on none at all', async () => {
  let taken = 0;
  const endless = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = () => {
      taken += 100_000;
      response.write('x'.repeat(100_000));
    };
    response.on('drain', more);
    more();
  });
  expect(await codeFrom(call(endless, 'x'))).toBe('tool/unreachable');
  // A megabyte, and what was on its way.
  expect(taken).toBeLessThan(20_000_000);
  const silent = await serve(() => undefined);
  expect(await codeFrom(call(silent, 'x', undefined, 300))).toBe('tool/unreachable');
});

describe('an answer to a call', () => {
  const json = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json' });
  const events = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
  const long = answerOf({ content: [{ type: 'text', text: 'x'.repeat(2_000_000) }] });

  it.each<[string, (response: ServerResponse) => unknown]>([
    ['breaks off in the middle of an event', (response) => events(response).write('id: 1\ndata:\n\ndata: {"jsonrpc"', () => response.destroy())],
    ['ends without an event', (response) => events(response).end(': nothing\n\n')],
  ])('is not waited for when its stream %s', async (_, onCall) => {
    const { url } = await honestServer({ onCall });
    const begunMs = performance.now();
    expect(await codeFrom(call(url, 'look', undefined, 60_000))).toBe('tool/failed');
    expect(performance.now() - begunMs).toBeLessThan(30_000);
  });

  it.each<[string, (response: ServerResponse) => unknown, string]>([
    ['is too long', (response) => json(response).end(long), '1048576 bytes'],
    ['is too long for a stream', (response) => events(response).end(`data: ${long}\n\n`), '1048576 bytes'],
    ['is no result', (response) => json(response).end(answerOf({ content: 'none' })), 'content'],
    ['is a web page', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in</p>'), 'text/html'],
  ])('that %s is said to be that, and not asked for again', async (_, onCall, why) => {
    const { url } = await honestServer({ onCall });
    await expect(call(url, 'look')).rejects.toMatchObject({ code: 'tool/bad-output', message: expect.stringContaining(why) as string });
  });
});

it('says of a list of tools that is too long what it is', async () => {
  const url = await oddServer(() => ({ tools: [{ name: 'wordy', description: 'x'.repeat(2_000_000), inputSchema: { type: 'object' } }] }));
  const lister = createToolLister({ http: createHttpCaller(send), mcp });
  await expect(lister.list(accessTo(url), undefined, never)).rejects.toMatchObject({ code: 'tool-source/invalid', message: expect.stringContaining('1048576 bytes') as string });
});

it('gives up in time, whatever is collected meanwhile', async () => {
  const silent = await serve(() => collectGarbage());
  expect(await codeFrom(call(silent, 'x', undefined, 300))).toBe('tool/unreachable');
}, 20_000);
