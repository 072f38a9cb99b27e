import { randomUUID } from 'node:crypto';
import type { Budgets } from '../../src/contracts/budget';
import type { LiveEntry } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { AgentConfig, type ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** What becomes of turns that have not enough budget. */

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let admin: Account;
let operator: Account;

beforeAll(async () => {
  process.env['TIERS'] = '{"penniless":{"budgets":{"session":{"modelCalls":0}}}}';
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, admin, operator] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators]), signUpOperator()]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  Reflect.deleteProperty(process.env, 'TIERS');
  await stopWorkers();
  await api.stop();
});

const pathOf = (what: string) => `/api/v1/tenants/${tenant.tenantId}/${what}`;
const isExhausted = (entry: LiveEntry) => entry.type === 'budget.exhausted' || isTurnEnd(entry);
const follow = async (path: string, request: { method?: string; body?: unknown }, isLast: (entry: LiveEntry) => boolean) =>
  (await readUntil(readEvents(`${api.url}${path}`, { token: alice.accessToken, ...request }), isLast)).at(-1)?.entry;

/** A turn that waits for budget. */
async function waitingTurn(prompt: string): Promise<{ end: () => Promise<LiveEntry | undefined> }> {
  const sessionId = randomUUID();
  const asked = await follow(`/api/v1/tenant/${tenant.tenantId}/agent`, { method: 'POST', body: { prompt, session_id: sessionId } }, isExhausted);
  expect(asked).toMatchObject({ type: 'budget.exhausted' });
  return { end: () => follow(pathOf(`sessions/${sessionId}/events`), {}, isTurnEnd) };
}

async function putConfig(settings: { systemPrompt?: string; budgets?: Budgets }): Promise<void> {
  const { status } = await api.send(pathOf('config'), { method: 'PUT', token: admin.accessToken, body: { ...AgentConfig.parse({}), ...settings } });
  expect(status).toBe(200);
}

async function change(what: string, body: object): Promise<void> {
  const { body: begun } = await api.send<Operation>(pathOf(what), { method: 'POST', token: operator.accessToken, body });
  const state = async () => (await api.send<Operation>(`/api/v1/operations/${begun.operationId}`, { token: operator.accessToken })).body.state;
  while ((await state()) === 'running');
  expect(await state()).toBe('completed');
}

describe("a turn that waits for its agent's own budget", () => {
  it('goes on when that is raised, and is for the rest the agent it began as', async () => {
    await putConfig({ systemPrompt: 'You are poor.', budgets: { session: { modelCalls: 1 } } });
    await model.script({ match: 'count for me', steps: [{ calls: [{ name: 'calculator', input: { expression: '1+1' } }] }, { say: 'Two.' }] });
    const { end } = await waitingTurn('count for me');
    await putConfig({ systemPrompt: 'You are rich.', budgets: { session: { modelCalls: 2 } } });
    expect(await end()).toMatchObject({ outcome: 'completed' });
    const last = (await model.served()).latest.findLast(({ tenantId }) => tenantId === tenant.tenantId);
    expect(JSON.stringify(last?.request.system)).toContain('You are poor.');
  });

  it('goes on when it is taken away by an operator', async () => {
    await putConfig({ budgets: { session: { modelCalls: 0 } } });
    const { end } = await waitingTurn('Hello');
    await change('configuration', { agent: AgentConfig.parse({}) });
    expect(await end()).toMatchObject({ outcome: 'completed' });
  });
});

it("goes on in another tier, when what it waits for is its tenant's", async () => {
  await change('tier', { tier: 'penniless' });
  const { end } = await waitingTurn('Hello');
  await change('tier', { tier: 'standard' });
  expect(await end()).toMatchObject({ outcome: 'completed' });
});
