import { createRequestLimiter } from '../../src/adapters/valkey/request-limiter';
import { createValkey } from '../../src/adapters/valkey/connection';
import { groups } from '../../src/contracts/names';
import { createLogger } from '../../src/logging';
import { type Account, newTenant, signUp } from './accounts';
import { type RunningApi, startApi } from './running-api';

/** Nobody listens at port 1. */
const absentValkey = () => createValkey('redis://127.0.0.1:1', createLogger('api', 'silent'));

let api: RunningApi;
let replica: RunningApi;
beforeAll(async () => {
  [api, replica] = await Promise.all([startApi(), startApi()]);
});
afterAll(() => Promise.all([api.stop(), replica.stop()]));

async function limitedUser(requestsPerMinute: number, burst: number): Promise<{ path: string; user: Account }> {
  const tenant = await newTenant({ requestsPerMinute, burst });
  return { path: `/api/v1/tenants/${tenant.tenantId}/sessions`, user: await signUp(tenant, [groups.members]) };
}

it('grants a burst, then refuses and says when to come back', async () => {
  const { path, user } = await limitedUser(6, 3);
  const ask = () => api.send(path, { token: user.accessToken });
  const granted = [await ask(), await ask(), await ask()];
  expect(granted.map(({ status, headers }) => [status, headers.get('ratelimit-remaining')])).toEqual([
    [200, '2'],
    [200, '1'],
    [200, '0'],
  ]);
  const { status, headers, body } = await ask();
  expect([status, body.code, body.retryable]).toEqual([429, 'request/rate-limited', true]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(9);
  expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
  expect([headers.get('ratelimit-limit'), headers.get('ratelimit-policy')]).toEqual(['3', '6;w=60;burst=3']);
});

it('counts over all replicas', async () => {
  const { path, user } = await limitedUser(1, 2);
  const statuses = [];
  for (const server of [api, replica, api]) statuses.push((await server.send(path, { token: user.accessToken })).status);
  expect(statuses).toEqual([200, 200, 429]);
});

it("takes nothing from a tenant's bucket for strangers, nor from another tenant's", async () => {
  const [one, other] = await Promise.all([limitedUser(1, 1), limitedUser(1, 1)]);
  for (let count = 0; count < 3; count += 1) expect((await api.send(one.path, { token: other.user.accessToken })).status).toBe(401);
  expect((await api.send(other.path, { token: other.user.accessToken })).status).toBe(200);
  expect((await api.send(one.path, { token: one.user.accessToken })).status).toBe(200);
});

it('lets nothing pass when nobody counts', async () => {
  const valkey = absentValkey();
  const uncounted = await startApi({ limiter: createRequestLimiter(valkey) });
  const { path, user } = await limitedUser(100, 20);
  const { status, headers, body } = await uncounted.send(path, { token: user.accessToken });
  expect([status, body.code, body.retryable]).toEqual([503, 'dependency/unavailable', true]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  await uncounted.stop();
  await valkey.close();
});

describe('readiness', () => {
  it('is green while everything answers', async () => {
    const { status, body } = await api.send<object>('/readyz');
    expect([status, body]).toEqual([200, { ready: true, dependencies: { temporal: 'ok', valkey: 'ok' } }]);
  });

  it('is red while something does not, and says what', async () => {
    const valkey = absentValkey();
    const unready = await startApi({ dependencies: [valkey.dependency] });
    const { status, headers, body } = await unready.send<{ dependencies: { valkey: string } }>('/readyz');
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(body).toMatchObject({ ready: false });
    expect(body.dependencies.valkey).not.toBe('ok');
    expect((await unready.send('/healthz')).status).toBe(200);
    await unready.stop();
    await valkey.close();
  });
});
