import { GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createMetrics } from '../../src/adapters/aws/metrics';
import { TrafficReporter } from '../../src/api/traffic-reporter';
import { groups, metrics as names, platformOwner, taskQueues } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { createLogger } from '../../src/logging';
import type { Reading } from '../../src/ports/metrics';
import { aws, config } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

interface Tenant {
  readonly tenant: ServedTenant;
  readonly user: Account;
  readonly path: string;
}

async function servedTenant(rate?: Parameters<typeof newTenant>[0]): Promise<Tenant> {
  const tenant = await newTenant(rate);
  return { tenant, user: await signUp(tenant, [groups.members]), path: `/api/v1/tenants/${tenant.tenantId}/sessions` };
}

const quiet = createLogger('api', 'silent');
const reporter = (intervalMs: number, metrics = createMetrics(aws)) => new TrafficReporter({ metrics, intervalMs, logger: quiet });

/** What CloudWatch has of a tenant. */
async function statisticsOf(MetricName: string, { tenant }: Tenant) {
  const range = { StartTime: new Date(Date.now() - 600_000), EndTime: new Date(Date.now() + 60_000), Period: 3_600 };
  const asked = { Namespace: names.namespace, MetricName, ...range, Dimensions: [{ Name: names.dimension, Value: tenant.tenantId }] };
  const { Datapoints } = await aws.cloudWatch.send(new GetMetricStatisticsCommand({ ...asked, Statistics: ['Sum', 'SampleCount', 'Maximum'] }));
  return Datapoints?.[0];
}
const sumOf = async (name: string, of: Tenant) => (await statisticsOf(name, of))?.Sum;

let one: Tenant;
let other: Tenant;
beforeAll(async () => {
  [one, other] = await Promise.all([servedTenant(), servedTenant()]);
});

async function withApi(traffic: TrafficReporter, use: (api: RunningApi) => Promise<void>): Promise<void> {
  const api = await startApi({ traffic });
  await use(api);
  await api.stop();
  await traffic.stop();
}

it('counts the requests of the tenant that sent them, and of no other', async () => {
  await withApi(reporter(60_000), async (api) => {
    for (let count = 0; count < 3; count += 1) expect((await api.send(one.path, { token: one.user.accessToken })).status).toBe(200);
    expect((await api.send(`${one.path}/ses-none`, { token: one.user.accessToken })).status).toBe(404);
    expect((await api.send(one.path, { token: other.user.accessToken })).status).toBe(401);
    expect((await api.send(other.path)).status).toBe(401);
    expect((await api.send(`/api/v1/tenants/${one.tenant.tenantId}/usage`, { token: (await signUpOperator()).accessToken })).status).toBe(200);
  });
  expect(await statisticsOf(names.requests, one)).toMatchObject({ Sum: 4 });
  expect(await statisticsOf(names.latency, one)).toMatchObject({ SampleCount: 4 });
  expect([await sumOf(names.errors, one), await sumOf(names.throttles, one), await sumOf(names.requests, other)]).toEqual([undefined, undefined, undefined]);
});

it('counts what was refused for its rate, and what failed', async () => {
  const [limited, unlucky] = await Promise.all([servedTenant({ requestsPerMinute: 1, burst: 2 }), servedTenant()]);
  await withApi(reporter(60_000), async (api) => {
    for (const status of [200, 200, 429, 429, 429]) expect((await api.send(limited.path, { token: limited.user.accessToken })).status).toBe(status);
    api.deps.limiter.take = () => Promise.reject(new Error('broken'));
    expect((await api.send(unlucky.path, { token: unlucky.user.accessToken })).status).toBe(500);
  });
  expect([await sumOf(names.requests, limited), await sumOf(names.throttles, limited), await sumOf(names.errors, limited)]).toEqual([5, 3, undefined]);
  expect([await sumOf(names.requests, unlucky), await sumOf(names.errors, unlucky)]).toEqual([1, 1]);
});

it('publishes while it runs, each request once', async () => {
  const busy = await servedTenant();
  const traffic = reporter(10);
  traffic.start();
  await withApi(traffic, async (api) => {
    for (let count = 1; count <= 3; count += 1) {
      await api.send(busy.path, { token: busy.user.accessToken });
      while ((await sumOf(names.requests, busy)) !== count);
    }
  });
  expect(await sumOf(names.requests, busy)).toBe(3);
});

describe('while CloudWatch', () => {
  let server: Server;
  let answers: 'nothing' | 'no';
  let asked: number;
  beforeEach(async () => {
    asked = 0;
    server = createServer((_request, response) => {
      asked += 1;
      if (answers === 'no') response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify({ __type: 'AccessDenied', message: 'no' }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    await server[Symbol.asyncDispose]();
  });

  it.each(['nothing', 'no'] as const)('answers %s, requests go on, the process ends in time, and it is said once', async (how) => {
    answers = how;
    const away = createPlatformClients({ ...config.aws, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const logger = createLogger('api', 'silent');
    const warn = jest.spyOn(logger, 'warn');
    const traffic = new TrafficReporter({ metrics: createMetrics(away), intervalMs: 10, logger });
    traffic.start();
    const api = await startApi({ traffic });
    for (let count = 0; count < 5 || asked < (how === 'no' ? 5 : 1); count += 1) {
      const startedAt = performance.now();
      expect((await api.send(one.path, { token: one.user.accessToken })).status).toBe(200);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    }
    await api.stop();
    const stoppedAt = performance.now();
    await traffic.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(warn.mock.calls.map(([, text]) => text)).toEqual([expect.stringContaining('could not be published'), expect.stringContaining('were not published')]);
  });

  it('is away, what was counted is kept, and told later with its time', async () => {
    const published: Reading[] = [];
    let isAway = true;
    let refused = 0;
    const real = createMetrics(aws);
    const metrics = {
      ...real,
      publish: (readings: readonly Reading[]) => {
        if (isAway) return Promise.reject(new Error(`away, ${(refused += 1)} times`));
        published.push(...readings);
        return real.publish(readings);
      },
    };
    const late = await servedTenant();
    const traffic = reporter(10, metrics);
    traffic.start();
    traffic.note({ tenantId: late.tenant.tenantId, status: 200, latencyMs: 5 });
    while (refused < 2) await new Promise(setImmediate);
    traffic.note({ tenantId: late.tenant.tenantId, status: 500, latencyMs: 5 });
    isAway = false;
    while (published.length === 0) await new Promise(setImmediate);
    await traffic.stop();
    expect(published[0]?.at.getTime()).toBeLessThan(published.at(-1)?.at.getTime() ?? 0);
    expect([await sumOf(names.requests, late), await sumOf(names.errors, late)]).toEqual([2, 1]);
  });
});

it("tells what waits on a tenant's queue, and zero where nothing waits", async () => {
  const api = await startApi();
  const { schedules, queues } = api.adapters;
  // Nobody serves the tenants' own queues.
  const stopWorkers = await startWorkers(api.adapters, []);
  const token = one.user.accessToken;
  const { body } = await api.send<SessionRecord>(one.path, { method: 'POST', token, body: {} });
  await api.send(`${one.path}/${body.sessionId}/messages`, { method: 'POST', token, body: { text: 'Hello' } });
  while ((await queues.backlogOf(taskQueues.tenant(one.tenant.tenantId))).tasks === 0);
  await schedules.ensure(platformOwner);
  // The clock may have started one already.
  while ((await sumOf(names.backlog, one)) === undefined || (await sumOf(names.backlog, one)) === 0)
    await schedules.run(platformOwner, 'backlog', { who: 'a test', why: 'to see', request: {} }).catch(() => undefined);
  expect(await statisticsOf(names.backlog, one)).toMatchObject({ Maximum: 1 });
  expect((await statisticsOf(names.backlogAge, one))?.Maximum).toBeGreaterThanOrEqual(0);
  while ((await sumOf(names.backlog, other)) === undefined);
  expect([await sumOf(names.backlog, other), await sumOf(names.backlogAge, other)]).toEqual([0, undefined]);
  await stopWorkers();
  await api.stop();
});
