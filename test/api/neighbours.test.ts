/** @jest-environment ./test/support/outer-errors.ts */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { tiersWith } from '../../src/domain/tiers';
import { type Account, newTenant, signUp } from './accounts';
import { type RunningApi, startApi } from './running-api';

/** Streams that nobody writes to, over sockets of their own; `TENURE_IDLE_STREAMS` asks for more. */
const idleStreams = Number(process.env['TENURE_IDLE_STREAMS'] ?? 300);

/** Without limits, requests were seen to take a hundred times as long; beside other tests, chance makes it several times. */
const slowdown = 25;

let api: RunningApi;
let noisy: { tenant: ServedTenant; user: Account };
let quiet: { tenant: ServedTenant; user: Account };
const sockets: Socket[] = [];

beforeAll(async () => {
  api = await startApi({ tiers: tiersWith({ standard: { streams: 2_000, userShare: 1 } }) });
  const withUser = async () => {
    const tenant = await newTenant();
    return { tenant, user: await signUp(tenant, [groups.members]) };
  };
  [noisy, quiet] = await Promise.all([withUser(), withUser()]);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => api.stop());

const sessionsOf = ({ tenant }: { tenant: ServedTenant }) => `/api/v1/tenants/${tenant.tenantId}/sessions`;

async function openSession(who: { tenant: ServedTenant; user: Account }): Promise<string> {
  const { body } = await api.send<{ sessionId: string }>(sessionsOf(who), { method: 'POST', token: who.user.accessToken, body: {} });
  return body.sessionId;
}

/** A connection that asks for a stream, as clients do: again when it is told to. @returns the socket, once the stream has begun. */
async function streamOver(path: string, { accessToken }: Account, url = api.url): Promise<Socket> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${accessToken}\r\n\r\n`);
    const head = String(((await once(socket, 'data')) as [Buffer])[0]);
    const retryAfterSeconds = /^HTTP\/1\.1 503 [^]*^Retry-After: (\d+)/im.exec(head)?.[1];
    if (retryAfterSeconds === undefined) {
      expect(head).toMatch(/^HTTP\/1\.1 200 /);
      return socket;
    }
    socket.destroy();
    await delay(Number(retryAfterSeconds) * 1_000);
  }
}

/** Milliseconds of requests one after the other, the slowest last. */
async function timed(count: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < count) {
    const sinceMs = performance.now();
    expect((await api.send(sessionsOf(quiet), { token: quiet.user.accessToken })).status).toBe(200);
    times.push(performance.now() - sinceMs);
  }
  return times.sort((a, b) => a - b);
}

it(`${idleStreams} idle streams of a tenant leave another's requests and streams alone, and go with their sockets`, async () => {
  const path = `${sessionsOf(noisy)}/${await openSession(noisy)}/events`;
  const [alone] = (await timed(21)).slice(10);
  for (let open = 0; open < idleStreams; open += 50) await Promise.all(Array.from({ length: 50 }, () => streamOver(path, noisy.user)));
  const during = await timed(50);
  expect(during[25]).toBeLessThan(slowdown * (alone ?? 0));
  const ours = await streamOver(`${sessionsOf(quiet)}/${await openSession(quiet)}/events`, quiet.user);
  ours.destroy();
  for (const socket of sockets) socket.destroy();
  const { adapters } = api;
  const place = { tenantId: noisy.tenant.tenantId, thing: 'streams', userId: 'x', id: 'x' } as const;
  // Each gives its place back: all are free again.
  while (!(await adapters.places.take(place, { all: 1, share: 1 }, 1_000)).taken);
});

it('a reader that does not read holds up nobody but itself, and the server reads no further than its socket takes', async () => {
  const sessionId = await openSession(noisy);
  const session = { tenantId: noisy.tenant.tenantId, sessionId };
  // Some 40 MB in the log: ten of the server's pages.
  const batches = 40;
  const eventsPerBatch = 50;
  const characters = 20_000;
  for (let batch = 0, after = 0; batch < batches; batch += 1) {
    const events = Array.from({ length: eventsPerBatch }, (_none, index) => ({ type: 'turn.started', turnId: `turn-${batch}-${index}`, text: 'x'.repeat(characters) }) as const);
    ({ head: after } = await api.adapters.log.append(session, { key: `test/${batch}`, after, events }));
  }
  let pages = 0;
  const [alone] = (await timed(21)).slice(10);
  const { log } = api.adapters;
  const counting = await startApi({ log: { ...log, read: (...range) => ((pages += 1), log.read(...range)) } });
  const slow = await streamOver(`${sessionsOf(noisy)}/${sessionId}/events`, noisy.user, counting.url);
  slow.pause();
  const during = await timed(30);
  expect(during[15]).toBeLessThan(slowdown * (alone ?? 0));
  expect(pages).toBeGreaterThan(0);
  expect(pages).toBeLessThan(8);
  // It finds all of it as soon as it reads.
  let bytes = 0;
  slow.on('data', (chunk: Buffer) => (bytes += chunk.length));
  slow.resume();
  while (bytes < batches * eventsPerBatch * characters) await once(slow, 'data');
  expect(pages).toBeGreaterThanOrEqual(10);
  slow.destroy();
  await counting.stop();
});
