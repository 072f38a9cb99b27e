import { createTemporalClient } from '../../src/adapters/temporal/connection';
import { createSessions } from '../../src/adapters/temporal/sessions';
import { loadConfig } from '../../src/config';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { dataConverter } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp } from './accounts';
import { type Answer, startApi } from './running-api';

/** Nobody listens at port 1. */
const nowhere = '127.0.0.1:1';

let tenant: ServedTenant;
let user: Account;
beforeAll(async () => {
  tenant = await newTenant();
  user = await signUp(tenant, [groups.members]);
});

const sessionsPath = () => `/api/v1/tenants/${tenant.tenantId}/sessions`;

function expectUnavailable({ status, headers, body }: Answer): void {
  expect([status, body.code, body.retryable]).toEqual([503, 'dependency/unavailable', true]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
}

it('answers 503 while Temporal is away, and keeps what does not need it', async () => {
  const { temporal } = loadConfig();
  const away = createTemporalClient({ ...temporal, address: nowhere }, dataConverter);
  const api = await startApi({ sessionWorkflows: createSessions(away.client), dependencies: [away.dependency] });
  const token = user.accessToken;
  const { status, body } = await api.send<SessionRecord>(sessionsPath(), { method: 'POST', token, body: {} });
  expect(status).toBe(201);
  expectUnavailable(await api.send(`${sessionsPath()}/${body.sessionId}/messages`, { method: 'POST', token, body: { text: 'Hello' } }));
  expect((await api.send('/readyz')).status).toBe(503);
  await api.stop();
  await away.close();
});

it("answers 503, not 401, while the pool's keys cannot be read", async () => {
  const issuers = { tenant: () => ({ issuer: 'https://nowhere', jwksUrl: `http://${nowhere}/jwks.json`, clientIds: [''] }), operators: () => Promise.reject(new Error()) };
  const api = await startApi({ issuers });
  expectUnavailable(await api.send(sessionsPath(), { token: user.accessToken }));
  await api.stop();
});
