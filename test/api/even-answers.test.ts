import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fc from 'fast-check';
import { z } from 'zod';
import { beatMs, mustTellNothing, nextBeat } from '../../src/api/even-answers';
import { mount, type MountDeps } from '../../src/api/mount';
import { problemHandler } from '../../src/api/problem';
import { requestContext } from '../../src/api/request-context';
import { publicRoute } from '../../src/api/route';
import { DomainError, type ErrorCode } from '../../src/contracts/errors';
import { createLogger } from '../../src/logging';

describe('answers that must tell nothing', () => {
  it.each<[ErrorCode, boolean]>([
    ['session/not-found', true],
    ['api-key/not-found', true],
    ['auth/unauthenticated', true],
    ['auth/forbidden', false],
    ['session/closed', false],
    ['internal/bug', false],
  ])('%s: %s', (code, expected) => expect(mustTellNothing(new DomainError(code, 'no'))).toBe(expected));

  it('leave at the first beat after the look, however long that took', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      await fc.assert(
        fc.asyncProperty(fc.double({ min: 0.01, max: 90, noNaN: true }), async (lookMs) => {
          const receivedAtMs = performance.now() - lookMs;
          let left = false;
          const leaves = nextBeat(receivedAtMs).then(() => (left = true));
          const beatAtMs = receivedAtMs + Math.ceil(lookMs / beatMs) * beatMs;
          while (performance.now() + 1 < beatAtMs) {
            await jest.advanceTimersByTimeAsync(1);
            expect(left).toBe(false);
          }
          await jest.advanceTimersByTimeAsync(1);
          await leaves;
          expect(performance.now() - beatAtMs).toBeLessThan(1);
        }),
        { numRuns: 50 },
      );
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('a route', () => {
  let server: Server;
  let url: string;
  const failing = (name: string, code: ErrorCode) =>
    publicRoute({ method: 'get', path: `/${name}`, summary: '', response: z.object({}), status: 200, isProbe: true, handle: () => Promise.reject(new DomainError(code, 'no')) });

  beforeAll(async () => {
    const app = express();
    app.use(requestContext({ logger: createLogger('api', 'silent'), stopping: new AbortController().signal, traffic: { note: () => undefined } }));
    mount(app, [failing('missing', 'session/not-found'), failing('stranger', 'auth/unauthenticated')], { maxBodyBytes: 1_024, trail: { count: () => undefined } } as unknown as MountDeps);
    app.use(problemHandler);
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each([['missing', 404], ['stranger', 401]])('%s: its %i is never sooner than the beat', async (name, status) => {
    for (let time = 0; time < 5; time += 1) {
      const askedAtMs = performance.now();
      const response = await fetch(`${url}/${name}`);
      expect(response.status).toBe(status);
      expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(beatMs);
    }
  });
});
