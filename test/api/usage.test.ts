import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import type { UsageReport } from '../../src/contracts/usage';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';

let api: RunningApi;
let tenant: ServedTenant;
let administrator: Account;
let operator: Account;
beforeAll(async () => {
  api = await startApi();
  [tenant, operator] = await Promise.all([newTenant(), signUpOperator()]);
  administrator = await signUp(tenant, [groups.administrators]);
  const cell = { userId: 'ann', modelId: 'large', inputTokens: 3, outputTokens: 2, modelCalls: 1 };
  const session = { tenantId: tenant.tenantId, sessionId: 's' };
  const hours = [{ ...cell, period: '2026-11-24T13' }, { ...cell, period: '2026-11-24T15' }];
  await api.adapters.usage.count(session, { after: 0, upTo: 9, hours, days: [{ ...cell, period: '2026-11-24', inputTokens: 6, outputTokens: 4, modelCalls: 2 }] });
});
afterAll(() => api.stop());

const ask = (query: string, { accessToken: token } = administrator) => api.send<UsageReport>(`/api/v1/tenants/${tenant.tenantId}/usage?${query}`, { token });

it('answers by day unless asked otherwise, the end not included', async () => {
  const { body } = await ask('from=2026-11-24&to=2026-11-25');
  const total = { inputTokens: 6, outputTokens: 4, modelCalls: 2 };
  expect(body).toEqual({ tenantId: tenant.tenantId, from: '2026-11-24T00:00:00.000Z', to: '2026-11-25T00:00:00.000Z', data: [{ from: '2026-11-24T00:00:00.000Z', ...total }], total });
  expect((await ask('from=2026-11-23&to=2026-11-24')).body.data).toEqual([]);
});

it('answers by hour, model and user, from and to any hour', async () => {
  const figures = { modelId: 'large', userId: 'ann', inputTokens: 3, outputTokens: 2, modelCalls: 1 };
  const { body } = await ask('from=2026-11-24T14:00:00Z&to=2026-11-24T16:00:00Z&by=hour,model,user');
  expect(body.data).toEqual([{ from: '2026-11-24T15:00:00.000Z', ...figures }]);
  expect((await ask('from=2026-11-24T13:00:00Z&to=2026-11-24T15:00:00Z&by=hour')).body.data).toHaveLength(1);
});

it('answers operators alike', async () => {
  expect((await ask('from=2026-11-24&to=2026-11-25', operator)).body.total.modelCalls).toBe(2);
});

it.each(['by=week', 'by=', 'from=yesterday', 'from=2026-11-25&to=2026-11-24', 'from=2020-01-01&to=2026-01-01', 'from=2026-01-01&to=2026-11-01&by=hour'])('refuses %s', async (query) => {
  expect((await ask(query)).body).toMatchObject({ status: 400, code: 'request/malformed' });
});
