import { GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { loadConfig } from '../../src/config';
import type { BackupSummary } from '../../src/contracts/backup';
import { metrics } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { UsageReport } from '../../src/contracts/usage';
import { User } from '../../src/local/demo/user';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

let platform: RunningPlatform;
let ann: User;
let sessionId: string;

beforeAll(async () => {
  platform = await runPlatform();
  expect((await platform.onboard('acme')).state).toBe('completed');
  ann = await platform.user('acme', 'ann');
  sessionId = await ann.open();
  await ann.ask(sessionId, 'Store my preference: color=blue');
  await ann.ask(sessionId, 'What is 17*23?');
});

afterAll(() => platform.stop());

const post = (path: string, body: object = {}) => platform.api.call<Operation>(`/api/v1/tenants/${path}`, { method: 'POST', token: platform.operator, body });
const backups = async (tenantId: string) => (await platform.api.call<{ data: BackupSummary[] }>(`/api/v1/tenants/${tenantId}/backups`, { token: platform.operator })).data;
const usageOf = (tenantId: string) => platform.api.call<UsageReport>(`/api/v1/tenants/${tenantId}/usage?by=user`, { token: platform.operator });
const callsIn = async (user: User, session: string) => (await user.log(session)).filter(({ type }) => type === 'usage.recorded').length;
const refusal = (code: string) => expect.objectContaining({ code }) as unknown;

async function backedUp(tenantId = 'acme'): Promise<string> {
  const operation = await platform.ended(await post(`${tenantId}/backups`));
  expect(operation).toMatchObject({ state: 'completed' });
  return operation.backupId ?? '';
}

/** Input tokens grow with what the model is shown. */
async function shownTo(user: User, session: string): Promise<number> {
  const { turnId } = await user.ask(session, 'What is 6*7?');
  const log = await user.log(session);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
  const used = log.flatMap((event) => (event.type === 'usage.recorded' && event.turnId === turnId ? [event.usage.inputTokens] : []));
  return used[0] ?? 0;
}

it('a backup and its restore into a new tenant survive the death of the worker; the session goes on with its history', async () => {
  const taking = await post('acme/backups');
  platform.services.worker.kill('SIGKILL');
  const taken = await platform.ended(taking);
  expect(taken.state).toBe('completed');
  const [backup] = await backups('acme');
  expect(backup).toMatchObject({ backupId: taken.backupId, format: 'tenure-backup/2', verification: { verifiedBy: taken.operationId } });

  const restoring = await post('globex/restore', { backupId: taken.backupId, sourceTenantId: 'acme' });
  await expect(post('globex/restore', { backupId: taken.backupId, sourceTenantId: 'acme' })).rejects.toEqual(refusal('tenant/busy'));
  platform.services.worker.kill('SIGKILL');
  const restored = await platform.ended(restoring);
  expect(restored).toMatchObject({ state: 'completed' });
  expect(restored.comparison?.every(({ records, found, hashesAgree }) => records === found && hashesAgree)).toBe(true);

  const { userId, accessToken } = await platform.accounts.userTokens('globex', 'ann@acme.example');
  const annThere = new User(platform.api, 'globex', userId, accessToken);
  expect(annThere.userId).not.toBe(ann.userId);
  const before = await ann.log(sessionId);
  expect(await annThere.log(sessionId)).toEqual(before);
  const fresh = await shownTo(annThere, await annThere.open());
  expect(await shownTo(annThere, sessionId)).toBeGreaterThan(fresh);
  const log = await annThere.log(sessionId);
  expect(log.filter(({ type }) => type === 'session.started')).toHaveLength(1);
  expect((await annThere.ask(await annThere.open(), 'What is my color?')).answer).toContain('color=blue');
});

it('replaces what a suspended tenant has, up to a point, and its sessions go on from there', async () => {
  const backupId = await backedUp();
  const before = await ann.log(sessionId);
  await ann.ask(sessionId, 'What is 5*5?');
  const used = await callsIn(ann, sessionId);
  await expect(post('acme/restore', { backupId })).rejects.toEqual(refusal('restore/tenant-active'));
  expect(await platform.ended(await post('acme/suspend', { turns: 'finish' }))).toMatchObject({ state: 'completed' });
  await expect(post('acme/restore', { backupId: 'bak-none' })).rejects.toEqual(refusal('backup/not-found'));
  const until = before.find(({ type }) => type === 'turn.completed')?.at ?? '';
  const restored = await platform.ended(await post('acme/restore', { backupId, until }));
  expect(restored).toMatchObject({ state: 'completed' });
  expect(await platform.ended(await post('acme/resume'))).toMatchObject({ state: 'completed' });
  const log = await ann.log(sessionId);
  expect(log).toEqual(before.filter(({ at }) => at <= until));
  expect(log.length).toBeLessThan(before.length);
  // Of what is in no log any more, too, and before the hourly job came to it.
  expect((await usageOf('acme')).data.find(({ userId }) => userId === ann.userId)?.modelCalls).toBe(used);
  await ann.ask(sessionId, 'What is 2*2?');
  const after = await ann.log(sessionId);
  expect(after.slice(0, log.length)).toEqual(log);
  expect(after.map(({ seq }) => seq)).toEqual(after.map((_event, index) => index + 1));
  // What it was before the restore is not lost.
  expect((await backups('acme')).find(({ reason }) => reason === 'before-restore')).toMatchObject({ backupId: restored.backupId, verification: {} });
});

it('counts what a tenant used last before it leaves: in CloudWatch, and in its backup', async () => {
  expect((await platform.onboard('hooli')).state).toBe('completed');
  const hal = await platform.user('hooli', 'hal');
  const session = await hal.open();
  await hal.ask(session, 'What is 8*8?');
  // The first conversation of its onboarding was one call.
  const used = 1 + (await callsIn(hal, session));
  expect(used).toBeGreaterThan(1);
  const left = await platform.ended(await platform.api.call<Operation>('/api/v1/tenants/hooli?graceSeconds=0&skipRehearsal=true', { method: 'DELETE', token: platform.operator }));
  expect(left).toMatchObject({ state: 'completed' });
  const { cloudWatch } = createPlatformClients(loadConfig({ ...platform.stack.env }).aws);
  const ofHooli = { Namespace: metrics.namespace, MetricName: metrics.modelCalls, Dimensions: [{ Name: metrics.dimension, Value: 'hooli' }] };
  const today = { StartTime: new Date(Date.now() - 7_200_000), EndTime: new Date(Date.now() + 60_000), Period: 86_400 };
  const { Datapoints = [] } = await cloudWatch.send(new GetMetricStatisticsCommand({ ...ofHooli, ...today, Statistics: ['Sum'] }));
  expect(Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0)).toBe(used);
  expect(await platform.ended(await post('initech/restore', { backupId: left.backupId, sourceTenantId: 'hooli' }))).toMatchObject({ state: 'completed' });
  expect((await usageOf('initech')).total.modelCalls).toBe(used);
});
