import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { randomUUID } from 'node:crypto';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { until } from '../../campaign/until';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createValkey, type Valkey } from '../../src/adapters/valkey/connection';
import { createWorkerRoster } from '../../src/adapters/valkey/worker-roster';
import { loadConfig } from '../../src/config';
import type { Diagnostics } from '../../src/contracts/diagnostics';
import type { MaintenanceReport } from '../../src/contracts/maintenance';
import { platformResources } from '../../src/contracts/names';
import { tenantsServedBy } from '../../src/domain/tenant-shares';
import { createLogger } from '../../src/logging';
import type { WorkerRoster } from '../../src/ports/worker-roster';

/** So few that processes share tenants as soon as there are three of them; what they say of that is read. */
const workerSettings = { TENANTS_PER_WORKER: '1', LOG_LEVEL: 'info' };
const tenantIds = ['acme', 'globex', 'initech', 'umbrella'];

let platform: RunningPlatform;
let valkey: Valkey;
let roster: WorkerRoster;

beforeAll(async () => {
  platform = await runPlatform({ workerSettings });
  for (const { state } of await Promise.all(tenantIds.map((tenantId) => platform.onboard(tenantId)))) expect(state).toBe('completed');
  valkey = createValkey(platform.stack.env['VALKEY_URL'] ?? '', createLogger('worker', 'silent'));
  roster = createWorkerRoster(valkey);
  await until('Valkey answers', () => valkey.dependency.check().then(() => true, () => false));
});

afterAll(async () => {
  await valkey.close();
  await platform.stop();
});

async function servedBy(name: string): Promise<string[]> {
  const served = new Set<string>();
  for (const { msg, tenantId = '' } of await platform.linesOf(name)) {
    if (msg === 'serving tenant') served.add(tenantId);
    if (msg === 'no longer serving tenant') served.delete(tenantId);
  }
  return [...served].sort();
}

/** A turn whose answer stops after its first word. */
async function holdAnswer(tenantId: string) {
  const user = await platform.user(tenantId);
  const prompt = `held ${randomUUID()}`;
  await platform.model.script({ match: prompt, steps: [{ say: 'one two three', holdAfter: 1 }, { say: 'one two three' }] });
  const sessionId = await user.open();
  const turn = user.ask(sessionId, prompt);
  await until('it is held', async () => (await platform.model.holding(prompt)) === 1);
  return { user, sessionId, turn, release: () => platform.model.release(prompt) };
}

/** How often a process said that of a tenant. */
const countOf = async (name: string, tenantId: string, words: string): Promise<number> =>
  (await platform.linesOf(name)).filter((line) => line.tenantId === tenantId && line.msg?.startsWith(words)).length;

describe('a tenant handed over to other processes', () => {
  /** Two processes that are to serve acme in place of the one there is; nobody but this test is behind them. */
  async function enterTwoAhead(): Promise<readonly string[]> {
    const own = (await roster.enter('nobody', 1)).workerIds.find((id) => id !== 'nobody') ?? '';
    const wanted = () => [randomUUID(), randomUUID()];
    let ahead = wanted();
    while (tenantsServedBy(own, { workerIds: [own, ...ahead], tenantIds, tenantsPerWorker: 1 }).includes('acme')) ahead = wanted();
    await Promise.all(ahead.map((id) => roster.enter(id, 600_000)));
    return ahead;
  }
  const leave = (workerIds: readonly string[]) => Promise.all(workerIds.map((id) => roster.leave(id)));
  const handings = () => countOf('worker', 'acme', 'handing the tenant over');
  const beginnings = () => countOf('worker', 'acme', 'serving tenant');

  it('keeps its worker until what runs has ended, and no longer', async () => {
    const { user, sessionId, turn, release } = await holdAnswer('acme');
    const others = await enterTwoAhead();
    await until('it is being handed over', async () => (await handings()) === 1);
    expect(await servedBy('worker')).toContain('acme');
    await release();
    expect(await turn).toMatchObject({ outcome: 'completed', answer: 'one two three' });
    expect((await user.log(sessionId)).map(({ type }) => type)).not.toContain('step.reset');
    await until('it is let go', async () => !(await servedBy('worker')).includes('acme'));
    await leave(others);
    await until('it is served again', async () => (await servedBy('worker')).includes('acme'));
  });

  it('and given back meanwhile is served on by the same worker', async () => {
    const before = await beginnings();
    const { user, turn, release } = await holdAnswer('acme');
    const others = await enterTwoAhead();
    await until('it is being handed over', async () => (await handings()) === 2);
    await leave(others);
    expect(await user.ask(await user.open(), 'Hello')).toMatchObject({ outcome: 'completed' });
    await release();
    expect(await turn).toMatchObject({ outcome: 'completed', answer: 'one two three' });
    expect(await beginnings()).toBe(before);
  });
});

it('is served by two of three processes; when one of them is killed no turn is lost, and the others serve all', async () => {
  const [second, third] = [platform.anotherWorker('second', workerSettings), platform.anotherWorker('third', workerSettings)];
  const names = ['worker', 'second', 'third'];
  const shares = () => Promise.all(names.map(servedBy));
  try {
    await Promise.all([second.start(), third.start()]);
    await until('two serve each', async () => {
      const served = (await shares()).flat();
      return tenantIds.every((tenantId) => served.filter((id) => id === tenantId).length === 2);
    });
    const held = await Promise.all(tenantIds.map(holdAnswer));
    await second.stop('SIGKILL');
    await Promise.all(held.map(async ({ release, turn }) => {
      await release();
      expect(await turn).toMatchObject({ outcome: 'completed', answer: 'one two three' });
    }));
    await until('the others serve all', async () => [await servedBy('worker'), await servedBy('third')].every((served) => served.length === tenantIds.length));
    await third.stop();
    expect((await roster.enter('nobody', 1)).workerIds).toHaveLength(2);
  } finally {
    await Promise.all([second.stop(), third.stop()]);
  }
});

it('is served although the entry of another cannot be read, also by a process that begins; who looks is told which', async () => {
  const { table } = createPlatformClients(loadConfig().aws);
  const setStatus = (status: string) =>
    table.send(new UpdateCommand({ TableName: platformResources.registryTable, Key: { tenantId: 'umbrella' }, UpdateExpression: 'SET #s = :s', ExpressionAttributeNames: { '#s': 'status' }, ExpressionAttributeValues: { ':s': status } }));
  const asOperator = <T>(address: string, body?: object) => platform.api.call<T>(`/api/v1/${address}`, { token: platform.operator, ...(body && { method: 'POST', body }) });
  await setStatus('actve');
  platform.services.worker.kill('SIGKILL');
  const user = await platform.user('acme');
  expect(await user.ask(await user.open(), 'Hello')).toMatchObject({ outcome: 'completed' });
  expect((await platform.linesOf('worker')).map(({ msg }) => msg)).toContainEqual(expect.stringMatching(/cannot be read.*: umbrella$/));
  const { tenants } = await asOperator<Diagnostics>('diagnostics');
  expect(tenants).toMatchObject({ checked: tenantIds.length - 1, unreadable: ['umbrella'] });
  await expect(asOperator('tenants/umbrella')).rejects.toMatchObject({ status: 500, code: 'tenant/unreadable', message: expect.stringContaining('status: ') as unknown });
  await asOperator('maintenance/drift/run', { reason: 'an entry is damaged' });
  const reports = async () => (await asOperator<{ data: MaintenanceReport[] }>('maintenance/drift/reports?limit=1')).data;
  await until('the drift is reported', async () => (await reports()).length === 1);
  expect(await reports()).toMatchObject([{ tenants: tenantIds.length, findings: [{ kind: 'check/failed', tenantId: 'umbrella', message: expect.stringContaining('cannot be read') as unknown }] }]);
  await setStatus('active');
  expect(await asOperator('tenants/umbrella')).toMatchObject({ status: 'active' });
});
