import { createAgentSchedules } from '../../../src/adapters/aws/agent-schedules';
import { createAgents } from '../../../src/adapters/aws/agents';
import { createBudgetLedger } from '../../../src/adapters/aws/budget-ledger';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { createSessionDirectory } from '../../../src/adapters/aws/session-directory';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { createTenantRegistry } from '../../../src/adapters/aws/tenant-registry';
import { createToolSources } from '../../../src/adapters/aws/tool-sources';
import { createUsageStore } from '../../../src/adapters/aws/usage-store';
import { AgentSchedule } from '../../../src/contracts/schedule';
import { AgentConfig } from '../../../src/contracts/tenant';
import { ToolSource } from '../../../src/contracts/tool-source';
import { usageFigures } from '../../../src/domain/usage';
import { type LossyLine, openLossyLine } from './lost-answers';
import { aws, cipher, newSession, registry, standingPlatform, standingTenant } from './tenants';

/** Whoever writes a thing once is told what became of it, though an answer of DynamoDB's was lost and the SDK wrote again. */
let tenantId: string;
let line: LossyLine;
let access: ReturnType<typeof createTenantAccess>;
beforeAll(async () => {
  await standingPlatform();
  [{ tenantId }, line] = await Promise.all([standingTenant(), openLossyLine()]);
  access = createTenantAccess({ sts: aws.sts, settings: line.settings });
});
afterAll(() => line.close());

const at = new Date().toISOString();

it('an agent is changed, and a version of it published, once', async () => {
  const agents = createAgents({ access, cipher });
  const publication = (requestId: string) => ({ settings: AgentConfig.parse({}), by: 'ann', requestId });
  const lost = [line.loseNext('TransactWriteItems')];
  const made = await agents.create(tenantId, { name: 'parrot' }, publication('pub-1'));
  lost.push(line.loseNext('PutItem'));
  const moved = await agents.replace(tenantId, { ...made, description: 'Repeats.' });
  expect(moved).toMatchObject({ description: 'Repeats.', revision: 2 });
  lost.push(line.loseNext('TransactWriteItems', 2));
  expect(await agents.publish(tenantId, { ...moved, latestVersion: 2 }, publication('pub-2'))).toMatchObject({ version: 2 });
  expect(await agents.get(tenantId, 'parrot')).toMatchObject({ latestVersion: 2, revision: 3 });
  await expect(agents.replace(tenantId, { ...made, description: 'Sings.' })).rejects.toMatchObject({ code: 'agent/changed' });
  expect(lost.map((hits) => hits())).toEqual([1, 1, 2]);
});

it('a schedule is made, and changed with its prompt or without', async () => {
  const schedules = createAgentSchedules({ access, cipher });
  const lost = [line.loseNext('PutItem')];
  const made = await schedules.create(tenantId, AgentSchedule.parse({ name: 'hourly', times: { everySeconds: 3_600 }, userId: 'ann', requestId: 'req-1', revision: 1, createdAt: at, updatedAt: at }), 'Look.');
  lost.push(line.loseNext('PutItem'));
  const asked = await schedules.replace(tenantId, made, 'Look again.');
  lost.push(line.loseNext('PutItem', 2));
  const paused = await schedules.replace(tenantId, { ...asked, paused: { by: 'ann', at, reason: 'a test' } });
  expect(await schedules.get(tenantId, 'hourly')).toEqual(paused);
  expect([paused.revision, await schedules.prompt(tenantId, 'hourly')]).toEqual([3, 'Look again.']);
  await expect(schedules.replace(tenantId, made, 'Look.')).rejects.toMatchObject({ code: 'schedule/changed' });
  expect(lost.map((hits) => hits())).toEqual([1, 1, 2]);
});

it('a source of tools is there, and then was there', async () => {
  const sources = createToolSources({ access });
  const source = ToolSource.parse({ name: 'shop', settings: { kind: 'openapi', url: 'https://shop.example' }, listing: { tools: [], leftOut: [] }, secretOrigins: [], createdAt: at, listedAt: at });
  const lost = [line.loseNext('PutItem'), line.loseNext('DeleteItem')];
  await sources.put(tenantId, source, undefined);
  expect(await sources.delete(tenantId, 'shop')).toBe(true);
  expect(await sources.delete(tenantId, 'shop')).toBe(false);
  expect(lost.map((hits) => hits())).toEqual([1, 1]);
});

it('what changes together is counted once', async () => {
  const [usage, ledger] = [createUsageStore({ access }), createBudgetLedger({ access })];
  const step = { ...newSession(tenantId), turnId: 'turn-1', step: 1 };
  const figures = { ...Object.fromEntries(usageFigures.map((name) => [name, 0])), inputTokens: 3, outputTokens: 2, modelCalls: 1 };
  const lost = [line.loseNext('TransactWriteItems')];
  expect(await usage.count(step, { after: 0, upTo: 4, hours: [{ ...figures, period: '2026-11-24T13', userId: 'ann', modelId: 'm' }], days: [] })).toBe(true);
  expect((await usage.read(tenantId, { period: 'hour', from: '2026', to: '2027' })).map(({ inputTokens }) => inputTokens)).toEqual([3]);
  lost.push(line.loseNext('TransactWriteItems'));
  const reservation = { holder: 'req-1', amounts: { microUsd: 0, tokens: 10, modelCalls: 1 }, counters: ['day'] };
  expect(await ledger.reserve(step, reservation, [{ level: 'tenantDay', counter: 'day', limit: { tokens: 10 } }])).toBeUndefined();
  lost.push(line.loseNext('TransactWriteItems'));
  await ledger.close(step, reservation, { settled: reservation.amounts });
  expect((await ledger.counters(tenantId, ['day']))['day']).toMatchObject({ reserved: { tokens: 0 }, settled: { tokens: 10 } });
  expect(lost.map((hits) => hits())).toEqual([1, 1, 1]);
});

it('a session is opened, and the entry of a tenant is what was asked for', async () => {
  const entries = createTenantRegistry(createPlatformClients(line.settings));
  const lost = [line.loseNext('TransactWriteItems'), line.loseNext('UpdateItem')];
  const record = { ...newSession(tenantId), userId: 'ann', createdAt: at };
  expect(await createSessionDirectory({ access }).create(record)).toEqual(record);
  expect(await entries.setBudgets(tenantId, { side: 'ownBudgets', budgets: { tenantDay: { tokens: 5 } }, seenRevision: 0 })).toMatchObject({ ownBudgets: { tenantDay: { tokens: 5 } } });
  lost.push(line.loseNext('UpdateItem'));
  expect((await entries.claim(tenantId, 'op-1')).claimedBy).toBe('op-1');
  lost.push(line.loseNext('UpdateItem'));
  await entries.releaseClaim(tenantId, 'op-1');
  expect((await registry.get(tenantId))?.claimedBy).toBeUndefined();
  expect(lost.map((hits) => hits())).toEqual([1, 1, 1, 1]);
});
