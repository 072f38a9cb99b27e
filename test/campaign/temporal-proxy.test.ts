import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { RuleBook } from '../../campaign/wire/rules';
import { TemporalProxy } from '../../campaign/wire/temporal-proxy';

const server = createServer();
const connections: ServerHttp2Session[] = [];
let proxy: TemporalProxy;
let client: ClientHttp2Session;

beforeAll(async () => {
  server.on('session', (session) => connections.push(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = new TemporalProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`, new RuleBook());
  client = connect(`http://${await proxy.start()}`);
});
afterAll(() => {
  client.destroy();
  proxy.stop();
  for (const session of connections) session.destroy();
  server.close();
});

/** A call that the server has heard of, and waits to answer. */
async function call(): Promise<{ answered: Promise<string>; answer: (text: string) => void }> {
  const heard = once(server, 'stream') as Promise<[ServerHttp2Stream]>;
  const request = client.request({ ':method': 'POST', ':path': '/Service/Poll' });
  request.end(Buffer.alloc(5));
  const answered = (async () => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    return text;
  })();
  const [stream] = await Promise.race([heard, answered.then(() => Promise.reject(new Error('The call was broken off.')))]);
  const answer = (text: string) => {
    stream.respond({ ':status': 200 });
    stream.end(text);
  };
  return { answered, answer };
}

/** Temporal does this every few minutes, to each of its clients, while their polls wait. */
it('a server that lets go of a connection is called on a new one, and what waits on the old one is answered', async () => {
  const waiting = await call();
  connections[0]?.goaway();
  // The next call may still be on its way on the old one; the ones after it are not.
  const told = await call();
  told.answer('told');
  expect(await told.answered).toBe('told');
  for (let count = 0; count < 3; count += 1) {
    const next = await call();
    next.answer(`answer ${count}`);
    expect(await next.answered).toBe(`answer ${count}`);
  }
  expect(connections).toHaveLength(2);
  waiting.answer('at last');
  expect(await waiting.answered).toBe('at last');
});
