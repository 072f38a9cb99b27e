import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Desk, type Ended } from './tenure';

let desk: Desk;
let server: Server | undefined;
beforeAll(async () => {
  desk = await Desk.make();
});
afterEach(async () => {
  server?.closeAllConnections();
  if (server) await once(server.close(), 'close');
});
afterAll(() => desk.remove());

interface Asked {
  readonly method: string | undefined;
  readonly cursor: string | undefined;
  readonly key: string | undefined;
}

/** Says something to an API that answers so, each time it is asked. */
async function chat(...answers: readonly ((response: ServerResponse) => void)[]): Promise<Ended & { readonly asked: readonly Asked[] }> {
  const asked: Asked[] = [];
  server = createServer(({ method, headers: { 'last-event-id': cursor, 'idempotency-key': key } }, response) => {
    asked.push({ method, cursor: cursor as string | undefined, key: key as string | undefined });
    answers[asked.length - 1]?.(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const TENURE_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { ...(await desk.run(['session', 'chat', 'acme', 'Count to four.'], { env: { TENURE_API_URL, TENURE_TOKEN: 'any' } })), asked };
}

const events = (response: ServerResponse): ServerResponse => response.writeHead(200, { 'content-type': 'text/event-stream' });
const told = (seq: number, type: string, more: object): string => `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, seq, turnId: 'turn-1', ...more })}\n\n`;
const begun = told(1, 'turn.started', { text: 'Count to four.' }) + told(2, 'text.delta', { text: 'one two' });
const ended = told(3, 'message.completed', { text: 'one two three four' }) + told(4, 'turn.completed', { outcome: 'completed' });

const away = '{"status":503,"code":"dependency/unavailable","detail":"Temporal does not answer.","requestId":"req-1"}';
const broken = `event: problem\ndata: ${away}\n\n`;

it('goes on from its cursor after a problem in the middle of an answer', async () => {
  const { asked, ...chatted } = await chat(
    (response) => events(response).end(begun + broken),
    (response) => events(response).end(ended),
  );
  expect(chatted).toMatchObject({ code: 0, stdout: 'one two three four\n' });
  expect(asked).toMatchObject([{ method: 'POST' }, { method: 'GET', cursor: '2' }]);
});

it('says the same again, under its key, after a problem before anything of it was heard', async () => {
  const { asked, ...chatted } = await chat(
    (response) => events(response).end(`retry: 1000\n\n${broken}`),
    (response) => events(response).end(begun + ended),
  );
  expect(chatted).toMatchObject({ code: 0, stdout: 'one two three four\n' });
  expect(asked).toMatchObject([{ method: 'POST' }, { method: 'POST', key: asked[0]?.key }]);
});

it('is refused for what was wrong, where that has not passed', async () => {
  const forbidden = '{"status":403,"code":"auth/forbidden","detail":"You may not.","requestId":"req-2"}';
  const { asked, ...chatted } = await chat(
    (response) => events(response).end(`${begun}event: problem\ndata: ${forbidden}\n\n`),
    (response) => response.writeHead(403, { 'content-type': 'application/problem+json' }).end(forbidden),
  );
  expect(chatted).toMatchObject({ code: 5, stderr: expect.stringMatching(/auth\/forbidden: You may not\..*request req-2/s) as unknown });
  expect(asked).toHaveLength(2);
});

it('says once that the API is away', async () => {
  const unavailable = (response: ServerResponse) => response.writeHead(503, { 'content-type': 'application/problem+json' }).end(away);
  const { asked, ...chatted } = await chat((response) => events(response).end(begun + broken), unavailable, unavailable, (response) => events(response).end(ended));
  expect(chatted).toMatchObject({ code: 0, stdout: 'one two three four\n', stderr: expect.stringMatching(/^The API does not answer; .*\n\(completed; .*\n$/) as unknown });
  expect(asked).toHaveLength(4);
});
