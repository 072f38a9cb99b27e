import { randomUUID } from 'node:crypto';
import { createValkey, type Valkey } from '../../../src/adapters/valkey/connection';
import { createRequestLimiter } from '../../../src/adapters/valkey/request-limiter';
import { loadConfig } from '../../../src/config';
import { codeOf } from '../../../src/contracts/errors';
import { valkeyKeys } from '../../../src/contracts/names';
import type { RequestRate } from '../../../src/contracts/tenant';
import { connected, ownValkey, quiet, untilAnswers } from './own-valkey';

const { url } = loadConfig().valkey;
const newTenantId = () => `t-${randomUUID()}`;
const refusal = (taken: Promise<unknown>) => taken.then(() => 'none', codeOf);

let replicas: Valkey[];
beforeAll(async () => {
  replicas = await Promise.all([1, 2, 3, 4].map(() => connected(url)));
});
afterAll(() => Promise.all(replicas.map((valkey) => valkey.close())));
const limiters = () => replicas.map(createRequestLimiter);

async function takeAll(tenantId: string, rate: RequestRate, count: number) {
  const [limiter] = limiters();
  const decisions = [];
  while (limiter && decisions.length < count) decisions.push(await limiter.take(tenantId, rate));
  return decisions;
}

it('grants a burst, counting down, then refuses until a token is there again', async () => {
  const [first, second, third, refused] = await takeAll(newTenantId(), { requestsPerMinute: 60, burst: 3 }, 4);
  expect([first, second, third]).toMatchObject([
    { allowed: true, remaining: 2, retryAfterMs: 0 },
    { allowed: true, remaining: 1, retryAfterMs: 0 },
    { allowed: true, remaining: 0, retryAfterMs: 0 },
  ]);
  expect(refused).toMatchObject({ allowed: false, remaining: 0 });
  // One token a second; a little of it has passed.
  expect(refused?.retryAfterMs).toBeGreaterThan(500);
  expect(refused?.retryAfterMs).toBeLessThanOrEqual(1_000);
  expect(refused?.resetMs).toBeGreaterThan(2_500);
  expect(refused?.resetMs).toBeLessThanOrEqual(3_000);
});

it("takes nothing away when Valkey's clock was set back", async () => {
  const tenantId = newTenantId();
  const rate = { requestsPerMinute: 60, burst: 3 };
  await takeAll(tenantId, rate, 1);
  await replicas[0]?.commands.hset(valkeyKeys.rate(tenantId), 'atMs', Date.now() + 3_600_000);
  expect(await takeAll(tenantId, rate, 1)).toMatchObject([{ allowed: true, remaining: 1 }]);
});

it('allows one more after the time it named', async () => {
  const tenantId = newTenantId();
  const rate = { requestsPerMinute: 600, burst: 1 };
  const [, refused] = await takeAll(tenantId, rate, 2);
  expect(refused?.allowed).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, refused?.retryAfterMs));
  expect(await takeAll(tenantId, rate, 2)).toMatchObject([{ allowed: true }, { allowed: false }]);
});

it('never grants more than burst and refill to replicas that race', async () => {
  const tenantId = newTenantId();
  const rate = { requestsPerMinute: 600, burst: 20 };
  const startedAtMs = performance.now();
  const decisions = await Promise.all(limiters().flatMap((limiter) => Array.from({ length: 50 }, () => limiter.take(tenantId, rate))));
  const refill = ((performance.now() - startedAtMs) / 60_000) * rate.requestsPerMinute;
  const granted = decisions.filter(({ allowed }) => allowed).length;
  expect(granted).toBeGreaterThanOrEqual(rate.burst);
  expect(granted).toBeLessThanOrEqual(rate.burst + Math.ceil(refill));
});

it('keeps buckets of tenants apart, and takes a changed rate at once', async () => {
  const [tenantId, other] = [newTenantId(), newTenantId()];
  expect(await takeAll(tenantId, { requestsPerMinute: 1, burst: 1 }, 2)).toMatchObject([{ allowed: true }, { allowed: false }]);
  expect(await takeAll(other, { requestsPerMinute: 1, burst: 1 }, 1)).toMatchObject([{ allowed: true }]);
  // A smaller burst holds for a bucket that was fuller.
  const larger = newTenantId();
  await takeAll(larger, { requestsPerMinute: 1, burst: 10 }, 1);
  expect(await takeAll(larger, { requestsPerMinute: 1, burst: 2 }, 3)).toMatchObject([{ allowed: true }, { allowed: true }, { allowed: false }]);
});

it('forgets a bucket that is full again', async () => {
  const tenantId = newTenantId();
  const [taken] = await takeAll(tenantId, { requestsPerMinute: 60, burst: 3 }, 1);
  const [key = ''] = (await replicas[0]?.commands.keys(`*${tenantId}*`)) ?? [];
  const lifetimeMs = (await replicas[0]?.commands.pttl(key)) ?? 0;
  expect(lifetimeMs).toBeGreaterThan(taken?.resetMs ?? 0);
  expect(lifetimeMs).toBeLessThanOrEqual((taken?.resetMs ?? 0) + 1_000);
});

describe('while Valkey is away', () => {
  const rate = { requestsPerMinute: 60, burst: 5 };

  it('refuses at once, and comes back by itself', async () => {
    const own = await ownValkey();
    const valkey = await connected(own.url);
    const limiter = createRequestLimiter(valkey);
    expect(await limiter.take('acme', rate)).toMatchObject({ allowed: true });

    await own.server.stop('SIGKILL');
    const askedAtMs = performance.now();
    expect(await refusal(limiter.take('acme', rate))).toBe('dependency/unavailable');
    expect(performance.now() - askedAtMs).toBeLessThan(10_000);

    await own.server.start();
    await untilAnswers(valkey);
    expect(await limiter.take('acme', rate)).toMatchObject({ allowed: true, remaining: 4 });
    await valkey.close();
    await own.end();
  });

  it('refuses within about a second when Valkey hangs', async () => {
    const own = await ownValkey();
    const valkey = await connected(own.url);
    const limiter = createRequestLimiter(valkey);
    own.server.kill('SIGSTOP');
    const askedAtMs = performance.now();
    expect(await refusal(limiter.take('acme', rate))).toBe('dependency/unavailable');
    expect(performance.now() - askedAtMs).toBeLessThan(10_000);
    own.server.kill('SIGCONT');
    await untilAnswers(valkey);
    expect(await limiter.take('acme', rate)).toMatchObject({ allowed: true });
    await valkey.close();
    await own.end();
  });

  it('starts without Valkey', async () => {
    const valkey = createValkey('redis://127.0.0.1:1', quiet);
    expect(await refusal(createRequestLimiter(valkey).take('acme', rate))).toBe('dependency/unavailable');
    expect(await refusal(valkey.dependency.check())).toBe('dependency/unavailable');
    await valkey.close();
  });
});
