import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { z } from 'zod';
import { mount, type MountDeps } from '../../src/api/mount';
import { problemHandler } from '../../src/api/problem';
import { contextOf, requestContext } from '../../src/api/request-context';
import { publicRoute, type Reply } from '../../src/api/route';
import type { Told } from '../../src/api/session-feed';
import { DomainError } from '../../src/contracts/errors';
import type { SessionEvent } from '../../src/contracts/events';
import type { AnsweredRequest } from '../../src/domain/traffic';
import { createLogger } from '../../src/logging';

type Entries = AsyncGenerator<Told | 'idle'>;

const event = (seq: number, text = ''): SessionEvent => ({ type: 'turn.started', turnId: 'turn-1', seq, at: '2030-01-01T00:00:00.000Z', text });
const told = (seq: number, text?: string): Told => ({ entry: event(seq, text), cursor: { seq, n: 0 } });

let server: Server | undefined;
let noted: AnsweredRequest[];
beforeEach(() => (noted = []));
afterEach(async () => {
  server?.closeAllConnections();
  await server?.[Symbol.asyncDispose]();
});

/** A route that streams these entries, mounted as any other. @returns its address. */
const streaming = (entries: () => Entries) => answering(() => ({ events: entries() }));

async function answering(reply: () => Reply<Record<string, never>>): Promise<string> {
  const app = express();
  app.use(requestContext({ logger: createLogger('api', 'silent'), stopping: new AbortController().signal, traffic: { note: (request) => void noted.push(request) } }));
  const route = publicRoute({ method: 'get', path: '/stream', summary: '', response: z.object({}), status: 200, streams: true, isProbe: true, handle: () => Promise.resolve(reply()) });
  // A public route is let in by nobody, and so is nobody's traffic: here it is a tenant's.
  app.use((_request, response, next) => {
    contextOf(response).tenantId = 'acme';
    next();
  });
  mount(app, [route], { maxBodyBytes: 1_024 } as MountDeps);
  app.use(problemHandler);
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
}

it('keeps proxies from storing and holding back', async () => {
  const url = await streaming(async function* () {
    yield told(1);
    await Promise.resolve();
  });
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect([response.headers.get('cache-control'), response.headers.get('x-accel-buffering')]).toEqual(['no-store', 'no']);
  expect(await response.text()).toBe(`retry: 1000\n\nid: 1\nevent: turn.started\ndata: ${JSON.stringify(event(1))}\n\n`);
});

it('sends a comment when nothing came for fifteen seconds, and not before, also when the clock is set back meanwhile', async () => {
  const quietMs = [1_000, 15_000, 1_000];
  const url = await streaming(async function* () {
    for (const ms of quietMs) {
      jest.setSystemTime(Date.now() - 3_600_000);
      jest.advanceTimersByTime(ms);
      yield 'idle';
    }
    await Promise.resolve();
  });
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'hrtime'] });
  const text = await (await fetch(url)).text();
  jest.useRealTimers();
  expect(text).toBe('retry: 1000\n\n: still here\n\n');
});

it('answers a failure before the first entry like any other', async () => {
  // eslint-disable-next-line require-yield -- it fails before
  const url = await streaming(async function* () {
    await Promise.reject(new DomainError('dependency/unavailable', 'Valkey does not answer.', { retryAfterSeconds: 3 }));
  });
  const response = await fetch(url);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '3']);
  expect(await response.json()).toMatchObject({ code: 'dependency/unavailable', retryable: true });
});

it('ends with the problem when it fails later, and says nothing of a bug', async () => {
  const url = await streaming(async function* () {
    yield told(1);
    await Promise.reject(new Error('secret of the house'));
  });
  const text = await (await fetch(url)).text();
  expect(text).toContain('event: problem\ndata: {"type":"urn:tenure:error:internal/bug"');
  expect(text).not.toContain('secret');
});

it('takes no more than a slow reader reads', async () => {
  let taken = 0;
  const url = await streaming(async function* () {
    for (;;) {
      await Promise.resolve();
      yield told((taken += 1), 'x'.repeat(100_000));
    }
  });
  const response = await new Promise<IncomingMessage>((resolve) => void get(url, resolve));
  response.pause();
  await settled(() => taken);
  // What the sockets' buffers hold: megabytes, not all there is.
  expect(taken).toBeLessThan(200);
  response.destroy();
});

it('cuts off a reader of lines, too, that takes nothing for a minute', async () => {
  let taken = 0;
  const url = await answering(() => ({
    lines: (async function* () {
      for (;;) {
        await Promise.resolve();
        yield event((taken += 1), 'x'.repeat(100_000));
      }
    })(),
  }));
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'Date', 'performance', 'hrtime'] });
  const response = await new Promise<IncomingMessage>((resolve) => void get(url, resolve));
  response.pause();
  for (let before = -1; before !== taken; ) {
    before = taken;
    for (let turn = 0; turn < 1_000; turn += 1) await new Promise(setImmediate);
  }
  jest.advanceTimersByTime(60_000);
  jest.useRealTimers();
  response.resume();
  await expect(once(response, 'end')).rejects.toThrow('aborted');
});

it('lets go of its source when the reader leaves', async () => {
  let letGo: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (letGo = resolve));
  const url = await streaming(async function* () {
    try {
      for (let seq = 1; ; seq += 1) {
        yield told(seq, 'x'.repeat(100_000));
        await Promise.resolve();
      }
    } finally {
      letGo();
    }
  });
  const response = await new Promise<IncomingMessage>((resolve) => void get(url, resolve));
  response.destroy();
  await released;
});

/** Waits until a number has stopped growing. */
async function settled(read: () => number): Promise<void> {
  for (let before = -1; read() !== before; ) {
    before = read();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it('counts as a request that took until its first byte, and as one that failed when it was broken off', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const url = await streaming(async function* () {
    yield told(1);
    await held;
    throw new DomainError('dependency/unavailable', 'Valkey does not answer.');
  });
  const startedAt = performance.now();
  const response = await fetch(url);
  const begunAfterMs = performance.now() - startedAt;
  expect(noted).toEqual([]);
  while (performance.now() - startedAt < 10 * begunAfterMs + 100) await new Promise(setImmediate);
  release();
  await response.text();
  while (noted.length === 0) await new Promise(setImmediate);
  expect(noted).toEqual([{ tenantId: 'acme', status: 503, latencyMs: expect.any(Number) as number }]);
  expect(noted[0]?.latencyMs).toBeLessThanOrEqual(begunAfterMs);
});
