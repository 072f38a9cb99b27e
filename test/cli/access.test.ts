import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Access } from '../../src/cli/access';
import { ApiClient, ApiProblem, ApiUnreachable } from '../../src/cli/api-client';
import { unbroken } from '../../src/cli/unbroken';
import { openLine } from '../api/cuttable-line';
import { collectGarbage } from '../support/collect-garbage';

let server: Server;
afterEach(async () => {
  jest.useRealTimers();
  server.closeAllConnections();
  await once(server.close(), 'close');
});

async function listening(answer: (response: ServerResponse) => void): Promise<Access> {
  server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Access(new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), { from: 'TENURE_TOKEN', token: () => Promise.resolve('any') });
}

it('lets go of a stream that is left at its first event', async () => {
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  const access = await listening((response) => {
    response.once('close', leave);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
  });
  for await (const { data } of access.stream('/')) {
    expect(data).toBe('first');
    break;
  }
  await left;
});

it('holds a stream to nothing while its reader deals with an event', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  let tell: (text: string) => void = () => undefined;
  const access = await listening((response) => {
    tell = (text) => void response.write(text);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a question\n\n');
  });
  const events = access.stream('/');
  expect((await events.next()).value).toMatchObject({ data: 'a question' });
  jest.advanceTimersByTime(600_000);
  tell('data: what follows\n\n');
  expect((await events.next()).value).toMatchObject({ data: 'what follows' });
  const next = events.next();
  const silent = expect(next).rejects.toThrow('a stream fell silent');
  await jest.advanceTimersByTimeAsync(45_000);
  await silent;
});

it('goes on with a new token where the old one ends in the middle of a stream', async () => {
  const asked: unknown[] = [];
  const { api } = await listening((response) => {
    const { authorization, 'last-event-id': cursor } = response.req.headers;
    asked.push([authorization, cursor]);
    const problem = '{"status":401,"code":"auth/unauthenticated","detail":"it has expired","requestId":"req-1"}';
    if (asked.length === 2) return response.writeHead(401, { 'content-type': 'application/problem+json' }).end(problem);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.end(cursor === undefined ? `id: 1\ndata: first\n\nevent: problem\ndata: ${problem}\n\n` : 'id: 2\ndata: second\n\n');
  });
  const access = new Access(api, { from: 'login', token: () => Promise.resolve('old'), renew: () => Promise.resolve('new') });
  const events = unbroken((opening) => access.stream('/', opening));
  expect([(await events.next()).value, (await events.next()).value]).toMatchObject([{ data: 'first' }, { data: 'second' }]);
  expect(asked).toEqual([['Bearer old', undefined], ['Bearer old', '1'], ['Bearer new', '1']]);
  await events.return(undefined);
});

it('throws what a stream is refused with before there is a first event', async () => {
  const access = await listening((response) => response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"code":"operation/not-found"}'));
  await expect(access.stream('/').next()).rejects.toThrow(ApiProblem);
});

it('repeats a request that may have arrived, under its key, although the API is away for a while then', async () => {
  const keys: unknown[] = [];
  const api = await listening((response) => {
    keys.push(response.req.headers['idempotency-key']);
    if (keys.length === 1) void line.cut();
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"said":"once"}');
  });
  const line = await openLine(api.api.baseUrl);
  let attempts = 0;
  const token = async () => {
    attempts += 1;
    // The first one was cut off, the second one refused.
    if (attempts === 3) await line.mend();
    return 'any';
  };
  const access = new Access(new ApiClient(line.url), { from: 'TENURE_TOKEN', token });
  expect(await access.call('/', { method: 'POST', body: {} })).toEqual({ said: 'once' });
  expect([attempts, keys.length, new Set(keys).size]).toEqual([3, 2, 1]);
  await line.cut();
});

it('does not repeat a request that never arrived', async () => {
  const api = await listening(() => undefined);
  const line = await openLine(api.api.baseUrl);
  await line.cut();
  let attempts = 0;
  const token = () => Promise.resolve(`attempt ${(attempts += 1)}`);
  await expect(new Access(new ApiClient(line.url), { from: 'TENURE_TOKEN', token }).call('/', { method: 'POST', body: {} })).rejects.toThrow(ApiUnreachable);
  expect(attempts).toBe(1);
});

it('waits for a whole answer no longer than it may, whatever is collected meanwhile', async () => {
  const access = await listening((response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":');
    setImmediate(collectGarbage);
  });
  const asked = access.call('/', { withinMs: 300 });
  await expect(asked).rejects.toThrow(ApiUnreachable);
  await expect(asked).rejects.toThrow('nothing within 0.3 s');
}, 20_000);
