import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { calculator } from '../../src/activities/session/tools/calculator';
import { currentTime } from '../../src/activities/session/tools/current-time';
import { httpRequest } from '../../src/activities/session/tools/http-request';
import type { ToolContext } from '../../src/activities/session/tools/tool';
import { createHttpCaller, createPinnedSender } from '../../src/adapters/http/http-caller';
import { codeOf } from '../../src/contracts/errors';
import { AgentConfig } from '../../src/contracts/tenant';

const context = (allowedOrigins: string[] = []): ToolContext => ({
  owner: { tenantId: 'acme', userId: 'user-1' },
  agent: AgentConfig.parse({ allowedOrigins }),
  idempotencyKey: 'turn-1/1/call-1',
  signal: new AbortController().signal,
});

const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'nothing thrown', codeOf);

describe('calculator', () => {
  it.each([
    ['17*23', 391],
    ['(1 + 2) ^ 3 % 5', 2],
    ['round(sqrt(2) * 100) / 100', 1.41],
    ['-2 * pi', -2 * Math.PI],
  ])('%s = %d', async (expression, result) => {
    expect(await calculator.run({ expression }, context())).toEqual({ expression, result });
  });

  it.each([
    '1/0',
    'factorial(170)',
    'import("fs")',
    'f(x) = x^2',
    'a = 5',
    '"text"',
    '[1, 2, 3]',
    'cos.constructor("return process")()',
    '1 +',
    'range(1, 1e9)',
    '10 > 5 ? 1 : 2',
  ])('refuses %s', async (expression) => {
    expect(await codeFrom(calculator.run({ expression }, context()))).toBe('tool/invalid-input');
  });
});

describe('current_time', () => {
  it('knows time zones', async () => {
    expect(await currentTime.run({ timeZone: 'Asia/Tokyo' }, context())).toMatchObject({ timeZone: 'Asia/Tokyo', utc: expect.stringMatching(/Z$/) as unknown });
  });

  it('says what is wrong with a zone that does not exist', () => {
    expect(currentTime.problemWith({ timeZone: 'Mars/Olympus' })).toContain('IANA');
    expect(currentTime.problemWith({})).toBeUndefined();
  });
});

describe('http_request', () => {
  const seen: { method: string | undefined; key: string | string[] | undefined; body: string }[] = [];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ method: request.method, key: request.headers['idempotency-key'], body: Buffer.concat(chunks).toString() });
      answer(request, response);
    });
  });
  const tool = httpRequest(createHttpCaller(createPinnedSender({ privateAddresses: ['127.0.0.1'] })));
  let origin: string;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => void seen.splice(0));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('sends JSON with the key of the call, and returns status and body', async () => {
    answer = (_request, response) => response.writeHead(201, { 'content-type': 'application/json' }).end('{"order":1}');
    const output = await tool.run({ method: 'POST', url: `${origin}/orders`, body: { books: 3 } }, context([origin]));
    expect(output).toEqual({ status: 201, contentType: 'application/json', body: '{"order":1}', isCut: false });
    expect(seen).toEqual([{ method: 'POST', key: 'turn-1/1/call-1', body: '{"books":3}' }]);
  });

  it('calls only origins the tenant allows, whatever the address looks like', async () => {
    answer = (_request, response) => response.end('never');
    const { port } = new URL(origin);
    for (const url of [`${origin}/x`, `http://localhost:${port}/`, `http://127.0.0.1:${port}@evil.example/`])
      expect(await codeFrom(tool.run({ url }, context([`http://127.0.0.1:1`, 'https://example.com'])))).toBe('tool/invalid-input');
    expect(seen).toEqual([]);
    expect(tool.problemWith({ url: 'file:///etc/passwd' })).toBeDefined();
  });

  it('does not follow a redirect: it could lead anywhere', async () => {
    answer = (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    expect(await tool.run({ url: origin }, context([origin]))).toMatchObject({ status: 302 });
    expect(seen).toHaveLength(1);
  });

  it('cuts an answer that would fill the transcript', async () => {
    answer = (_request, response) => response.end('x'.repeat(1_000_000));
    const output = (await tool.run({ url: origin }, context([origin]))) as { body: string; isCut: boolean };
    expect(output.body).toHaveLength(65_536);
    expect(output.isCut).toBe(true);
  });

  it('asks to be tried again when the target is overloaded or gone', async () => {
    answer = (_request, response) => response.writeHead(503).end();
    expect(await codeFrom(tool.run({ url: origin }, context([origin])))).toBe('tool/busy');
    answer = (_request, response) => response.writeHead(429, { 'retry-after': '30' }).end();
    await expect(tool.run({ url: origin }, context([origin]))).rejects.toMatchObject({ code: 'tool/busy', retryAfterSeconds: 30 });
    answer = (_request, response) => response.writeHead(504).end();
    expect(await codeFrom(tool.run({ url: origin }, context([origin])))).toBe('tool/failed');
    expect(await codeFrom(tool.run({ url: 'http://127.0.0.1:1/' }, context(['http://127.0.0.1:1'])))).toBe('tool/unreachable');
    answer = (request) => request.socket.destroy();
    expect(await codeFrom(tool.run({ url: origin }, context([origin])))).toBe('tool/failed');
  });
});
