import type { BudgetCounter, Budgets } from '../../src/contracts/budget';
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

it.each(['by=week', 'by=', 'from=yesterday'])('refuses %s', async (query) => {
  expect((await ask(query)).body).toMatchObject({ status: 400, code: 'request/malformed' });
});

it.each(['from=2026-11-25&to=2026-11-24', 'from=2020-01-01&to=2026-01-01', 'from=2026-01-01&to=2026-11-01&by=hour'])('refuses %s, which no schema forbids', async (query) => {
  expect((await ask(query)).body).toMatchObject({ status: 422, code: 'request/inconsistent', errors: [{ path: 'query.from' }] });
});

describe('budgets', () => {
  const path = () => `/api/v1/tenants/${tenant.tenantId}/budgets`;
  const put = (body: unknown, { accessToken: token }: Account, headers: Record<string, string> = {}) => api.send<BudgetReport>(path(), { method: 'PUT', token, body, headers });
  interface BudgetReport {
    readonly revision: number;
    readonly operator: Budgets;
    readonly administrator: Budgets;
    readonly inForce: Budgets;
    readonly spent: Record<string, BudgetCounter>;
  }

  it("are the operator's, and within them the administrator's; each replaces only their own", async () => {
    await put({ tenantDay: { microUsd: 500 }, session: { tokens: 9 } }, operator);
    const { body } = await put({ tenantDay: { microUsd: 700 }, session: { tokens: 5 }, onExhausted: 'end' }, administrator);
    expect(body).toMatchObject({ operator: { tenantDay: { microUsd: 500 } }, administrator: { tenantDay: { microUsd: 700 } }, inForce: { tenantDay: { microUsd: 500 }, session: { tokens: 5 }, onExhausted: 'end' } });
    expect((await put({}, administrator)).body.inForce).toEqual({ tenantDay: { microUsd: 500 }, session: { tokens: 9 }, onExhausted: 'pause', longestPauseSeconds: 2_678_400 });
    const { budgetLedger: ledger } = api.adapters;
    const step = { tenantId: tenant.tenantId, sessionId: 's', turnId: 't', step: 1 };
    const amounts = { microUsd: 3, tokens: 2, modelCalls: 1 };
    await ledger.reserve(step, { holder: 'h', amounts, counters: ['SESSION#s'] }, [{ level: 'session', counter: 'SESSION#s', limit: { tokens: 9 } }]);
    const shown = await api.send<BudgetReport>(`${path()}?sessionId=s`, { token: administrator.accessToken });
    expect(shown.body.spent['session']?.reserved).toEqual(amounts);
    expect(Object.keys(shown.body.spent).sort()).toEqual(['session', 'tenantDay', 'tenantMonth']);
    expect((await put({}, operator)).body.inForce).toEqual({ onExhausted: 'pause', longestPauseSeconds: 2_678_400 });
  });

  it('are changed on top of what was seen, by If-Match: of those who change them at once one is first, and may say it again', async () => {
    const seen = await api.send<BudgetReport>(path(), { token: operator.accessToken });
    const { revision } = seen.body;
    const ifMatch = { 'if-match': seen.headers.get('etag') ?? '' };
    expect(ifMatch).toEqual({ 'if-match': `"${revision}"` });
    const limits = [1, 2, 3, 4, 5].map((tokens) => ({ session: { tokens } }));
    const raced = await Promise.all(limits.map((limit) => put(limit, operator, ifMatch)));
    expect(raced.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412]);
    const first = raced.findIndex(({ status }) => status === 200);
    expect(raced.find(({ status }) => status === 412)?.body).toMatchObject({ code: 'budget/changed', detail: expect.stringContaining(`at revision ${revision + 1}, not ${revision}`) as unknown });
    expect(raced[first]?.headers.get('etag')).toBe(`"${revision + 1}"`);
    expect((await put(limits[first], operator, ifMatch)).body.operator).toEqual(limits[first]);
    expect((await put({}, operator, { 'if-match': '*' })).status).toBe(200);
  });

  it.each(['3', 'W/"3"', '"one"'])('cannot be seen as %s', async (ifMatch) => {
    expect((await put({}, operator, { 'if-match': ifMatch })).body).toMatchObject({ code: 'request/malformed', errors: [{ path: 'header.if-match' }] });
  });

  it('refuses who may not set them, and what is no budget', async () => {
    const member = await signUp(tenant, [groups.members]);
    expect((await put({}, member)).status).toBe(403);
    expect((await put({ week: { tokens: 1 } }, administrator)).status).toBe(400);
    expect((await put({ session: { tokens: -1 } }, administrator)).status).toBe(400);
  });
});
