import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createEgressRules, isAddressRange } from '../../../src/adapters/http/egress-rules';
import { createHttpCaller, createPinnedSender, type EgressSettings } from '../../../src/adapters/http/http-caller';
import { codeOf } from '../../../src/contracts/errors';
import type { HttpCall } from '../../../src/ports/http-caller';
import { collectGarbage } from '../../support/collect-garbage';

/** Reached by nobody who keeps to the rules. */
let canary: Server;
/** On an address of its own, which is allowed. */
let shop: Server;
let answer: RequestListener;
const reached: string[] = [];

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const listen = async (server: Server, host: string, port = 0) => once(server.listen(port, host), 'listening');

beforeAll(async () => {
  canary = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end('the canary');
  });
  shop = createServer((request, response) => answer(request, response));
  await Promise.all([listen(canary, '127.0.0.1'), listen(shop, '127.0.0.2')]);
});
beforeEach(() => void reached.splice(0));
afterAll(() => {
  for (const server of [canary, shop]) {
    server.closeAllConnections();
    server.close();
  }
});

const shopOnly = { privateAddresses: ['127.0.0.2'] };
const get = (url: string, changes: Partial<HttpCall> = {}): HttpCall => ({
  ...{ method: 'GET', url, headers: {}, timeoutMs: 5_000, maxResponseBytes: 1_000, signal: new AbortController().signal },
  ...changes,
});
const call = (url: string, settings: EgressSettings = { privateAddresses: [] }, changes?: Partial<HttpCall>) => createHttpCaller(createPinnedSender(settings)).call(get(url, changes));
const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'nothing thrown', codeOf);
const shopUrl = () => `http://127.0.0.2:${portOf(shop)}/`;

describe('addresses', () => {
  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '100.100.100.200', '127.0.0.1', '127.255.255.254', '169.254.169.254', '169.254.170.2', '172.16.0.1', '172.31.255.255'],
    ...['168.63.129.16', '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2001::1', '2001:db8::1'],
    ...['100::1', '3fff::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%eth0', '2606:4700::1%eth0', 'fec0::1', 'ff02::1', '5f00::1'],
    ...['', 'localhost', '2130706433', '0x7f.1', '127.1'],
  ])('closes %s', (address) => {
    expect(createEgressRules([]).allows(address)).toBe(false);
  });

  it.each(['8.8.8.8', '1.1.1.1', '100.63.255.255', '172.32.0.1', '192.169.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])('leaves %s open', (address) => {
    expect(createEgressRules([]).allows(address)).toBe(true);
  });

  it('opens what the operator names, and metadata addresses for nobody', () => {
    const rules = createEgressRules(['10.1.0.0/16', '169.254.0.0/16', '0.0.0.0/0', '::/0']);
    expect(['10.1.2.3', '192.168.0.1', '::1'].map((address) => rules.allows(address))).toEqual([true, true, true]);
    expect(['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '168.63.129.16'].map((address) => rules.allows(address))).toEqual([false, false, false, false]);
    expect(createEgressRules(['10.1.0.0/16']).allows('10.2.0.1')).toBe(false);
  });

  it.each([
    ['10.1.2.3', true],
    ['10.0.0.0/8', true],
    ['fd12::/16', true],
    ['10.0.0.0/33', false],
    ['10.0.0.0/', false],
    ['10.0.0.0/8/8', false],
    ['localhost', false],
  ])('takes %s as a range: %s', (text, isRange) => {
    expect(isAddressRange(text)).toBe(isRange);
  });
});

describe('calls', () => {
  it('reaches nothing of this machine, however its address is written', async () => {
    const port = portOf(canary);
    const forms = ['127.0.0.1', '2130706433', '0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '127.1', '127.0.0.1.', '0', '0.0.0.0', 'localhost', 'localhost.', 'LOCALHOST'];
    forms.push('[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '１２７.０.０.１', 'ⓛocalhost', '%31%32%37.0.0.1', 'example.com@127.0.0.1', 'user:word@127.0.0.1');
    for (const form of forms) expect([form, await codeFrom(call(`http://${form}:${port}/${encodeURIComponent(form)}`))]).toEqual([form, 'tool/egress-refused']);
    for (const url of ['http://169.254.169.254/latest/meta-data/', 'http://[fd00:ec2::254]/', 'http://2852039166/', 'file:///etc/passwd', 'gopher://127.0.0.1/'])
      expect([url, await codeFrom(call(url, { privateAddresses: ['0.0.0.0/0', '::/0'] }))]).toEqual([url, 'tool/egress-refused']);
    expect(reached).toEqual([]);
  });

  it("refuses a user in the address, and a dot at a name's end, even where the host is allowed", async () => {
    answer = (_request, response) => response.end('in');
    expect(await codeFrom(call(shopUrl().replace('http://', 'http://user:word@'), shopOnly))).toBe('tool/egress-refused');
    const resolve = () => Promise.resolve(['127.0.0.2']);
    const codeOfName = (name: string) => codeFrom(call(`http://${name}:${portOf(shop)}/`, { ...shopOnly, resolve }));
    expect([await codeOfName('shop.example.'), await codeOfName('shop.example')]).toEqual(['tool/egress-refused', 'nothing thrown']);
  });

  it('refuses a name when one of its addresses is closed', async () => {
    const resolve = () => Promise.resolve(['127.0.0.2', '127.0.0.1']);
    expect(await codeFrom(call(`http://shop.example:${portOf(shop)}/`, { ...shopOnly, resolve }))).toBe('tool/egress-refused');
  });

  it('connects to the address it checked, whatever the name means a moment later', async () => {
    const asked: string[] = [];
    // Whoever asks a second time, Node's own client too, is sent to the canary's address.
    const resolve = (name: string) => Promise.resolve([asked.push(name) === 1 ? '127.0.0.2' : '127.0.0.1']);
    answer = (request, response) => response.end(`for ${request.headers.host}`);
    const port = portOf(shop);
    expect(await call(`http://localhost:${port}/`, { ...shopOnly, resolve })).toMatchObject({ status: 200, body: `for localhost:${port}` });
    expect(asked).toEqual(['localhost']);
    expect(await codeFrom(call(`http://localhost:${port}/`, { ...shopOnly, resolve }))).toBe('tool/egress-refused');
  });

  it('leaves a redirect to whoever reads the answer: to go there is another call, checked like any', async () => {
    answer = (_request, response) => response.writeHead(307, { location: `http://127.0.0.1:${portOf(canary)}/` }).end();
    expect(await call(shopUrl(), shopOnly)).toMatchObject({ status: 307 });
    expect(reached).toEqual([]);
  });

  it('unpacks nothing', async () => {
    answer = (request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000)));
    };
    // Not refused: it was sent, and may have had its effect.
    expect(await codeFrom(call(shopUrl(), shopOnly))).toBe('tool/failed');
    expect(await call(shopUrl(), shopOnly, { maxResponseBytes: 0 })).toMatchObject({ status: 200, body: '' });
  });

  it('takes the first bytes of an answer without end, and lets go of it', async () => {
    let sent = 0;
    const left = new Promise((resolve) => {
      answer = (request, response) => {
        request.socket.once('close', resolve);
        const more = (): unknown => ((sent += 65_536), response.write(Buffer.alloc(65_536, 'x')) ? setImmediate(more) : response.once('drain', more));
        more();
      };
    });
    const { body, isCut } = await call(shopUrl(), shopOnly);
    expect({ length: body.length, isCut }).toEqual({ length: 1_000, isCut: true });
    await left;
    // What both ends' buffers hold, and no more.
    expect(sent).toBeLessThan(20_000_000);
  });

  const silent: [string, (request: IncomingMessage) => void][] = [
    ['never answers', () => undefined],
    ['sends its headers byte by byte', ({ socket }) => drip(socket, 'HTTP/1.1 200 OK\r\nx-long: ')],
    ['sends its body byte by byte', ({ socket }) => drip(socket, 'HTTP/1.1 200 OK\r\n\r\n')],
  ];
  const drip = (socket: IncomingMessage['socket'], beginning: string) => {
    socket.write(beginning);
    const timer = setInterval(() => socket.write('x'), 20);
    socket.once('close', () => clearInterval(timer)).on('error', () => undefined);
  };
  it.each(silent)('gives up in time on a target that %s', async (_what, behave) => {
    answer = (request) => behave(request);
    const startedAtMs = performance.now();
    expect(await codeFrom(call(shopUrl(), shopOnly, { timeoutMs: 300 }))).toBe('tool/failed');
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });

  it('gives up in time, whatever is collected meanwhile', async () => {
    answer = () => collectGarbage();
    expect(await codeFrom(call(shopUrl(), shopOnly, { timeoutMs: 300 }))).toBe('tool/failed');
  }, 20_000);

  it('gives up in time on a name server that never answers', async () => {
    const resolve = () => new Promise<string[]>(() => undefined);
    expect(await codeFrom(call('http://slow.example/', { privateAddresses: [], resolve }, { timeoutMs: 100 }))).toBe('tool/unreachable');
  });

  it.each(['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'no HTTP at all\r\n\r\n', `HTTP/1.1 200 OK\r\nx-huge: ${'x'.repeat(100_000)}\r\n\r\n`, 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nabc'])(
    'survives an answer that is none (%#)',
    async (words) => {
      answer = ({ socket }) => socket.on('error', () => undefined).end(words);
      expect(await codeFrom(call(shopUrl(), shopOnly))).toBe('tool/failed');
    },
  );
});
