import { setTimeout as delay } from 'node:timers/promises';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'iovalkey';
import { backupSources } from '../../src/adapters/aws/backup/sources';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createTenantAccess } from '../../src/adapters/aws/tenant-access';
import { isSignedErasure } from '../../src/adapters/erasure-signature';
import { type Adapters, createAdapters } from '../../src/composition';
import { loadConfig } from '../../src/config';
import type { SignedErasure } from '../../src/contracts/erasure';
import { tenantResources, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { PublicKey } from '../../src/contracts/public-key';
import type { User } from '../../src/local/demo/user';
import { createLogger } from '../../src/logging';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

interface Erasure {
  readonly operation?: Operation;
  readonly statement?: SignedErasure;
}

const canary = `canary${process.pid}`;

let platform: RunningPlatform;
let adapters: Adapters;
let connection: Connection;
let ann: User;
let ben: User;
/** Ann's: one that is erased by herself, one with an object in the bucket, and one in the middle of a turn. */
let own: string;
let large: string;
let busy: string;
let bens: string;
let backupId: string;

beforeAll(async () => {
  platform = await runPlatform();
  adapters = createAdapters(loadConfig({ ...platform.stack.env }), createLogger('export', 'fatal'));
  connection = await Connection.connect({ address: platform.stack.env['TEMPORAL_ADDRESS'] ?? '' });
  expect((await platform.onboard('acme')).state).toBe('completed');
  [ann, ben] = await Promise.all([platform.user('acme', 'ann'), platform.user('acme', 'ben')]);
  [own, large, busy, bens] = await Promise.all([ann.open(), ann.open(), ann.open(), ben.open()]);
  await Promise.all([ann.ask(own, `Say ${canary}.`), ann.ask(large, `Store my preference: ${canary}`), ben.ask(bens, 'Store my preference: color=green')]);
  await writeLarge(large);
  await adapters.attachments.put({ tenantId: 'acme', sessionId: large }, { name: `${canary}.txt`, mediaType: 'text/plain', content: Buffer.from(canary) });
  await post(ann.token, 'acme/schedules', { name: 'morning', prompt: `What of ${canary}?`, times: { everySeconds: 86_400 }, sessionId: large });
  backupId = (await platform.ended(await post(platform.operator, 'acme/backups'))).backupId ?? '';
});

afterAll(async () => {
  await Promise.all([adapters.close(), connection.close()]);
  await platform.stop();
});

const post = <T = Operation>(token: string, path: string, body: object = {}) => platform.api.call<T>(`/api/v1/tenants/${path}`, { method: 'POST', token, body });
const get = <T>(token: string, path: string) => platform.api.call<T>(`/api/v1/tenants/${path}`, { token });
const refusal = (code: string) => expect.objectContaining({ code }) as unknown;

/** A batch that lies in the bucket. */
async function writeLarge(sessionId: string): Promise<void> {
  const session = { tenantId: 'acme', sessionId };
  const { seq = 0 } = (await adapters.log.last(session)) ?? {};
  const text = `${canary} ${'x'.repeat(400_000)}`;
  await adapters.log.append(session, { after: seq, key: 'large', events: [{ type: 'message.completed', turnId: 'turn-large', step: 1, text, stopReason: 'end_turn' }] });
  expect(await versionsOf(sessionId)).toBe(1);
}

async function versionsOf(sessionId: string): Promise<number> {
  const page = await createPlatformClients(loadConfig({ ...platform.stack.env }).aws).s3.send(new ListObjectVersionsCommand({ Bucket: tenantResources('acme').bucket, Prefix: `sessions/${sessionId}/` }));
  return (page.Versions?.length ?? 0) + (page.DeleteMarkers?.length ?? 0);
}

/** All that a tenant holds in table, bucket, memory and parameters, opened. */
async function everythingOf(tenantId: string): Promise<string> {
  const { aws } = loadConfig({ ...platform.stack.env });
  const { sts, ssm } = createPlatformClients(aws);
  const found: string[] = [];
  const { cipher, memory, users, directory } = adapters;
  for (const { records } of backupSources({ access: createTenantAccess({ sts, settings: aws }), ssm, cipher, memory, users }, await directory.built(tenantId))) for await (const { record } of records()) found.push(JSON.stringify(record));
  return found.join('\n');
}

async function keysInValkey(): Promise<string> {
  const valkey = new Redis(loadConfig({ ...platform.stack.env }).valkey.url);
  try {
    return (await valkey.keys('*')).join('\n');
  } finally {
    valkey.disconnect();
  }
}

/** Whether Temporal knows any run of the session. */
async function isInTemporal(sessionId: string): Promise<boolean> {
  const handle = new Client({ connection }).workflow.getHandle(workflowIds.session('acme', sessionId));
  return handle.describe().then(() => true, () => false);
}

async function signed(token: string, operationId: string): Promise<SignedErasure> {
  const { statement } = await get<Erasure>(token, `acme/erasures/${operationId}`);
  if (!statement) throw new Error('There is no statement.');
  return statement;
}

it('erases a session for its owner, with proof: nothing of it is left, and nobody gets its id', async () => {
  expect(await isInTemporal(own)).toBe(true);
  await expect(post(ann.token, `acme/sessions/${bens}/erase`)).rejects.toEqual(refusal('session/not-found'));
  const operation = await post(ann.token, `acme/sessions/${own}/erase`);
  expect(await platform.ended(operation)).toMatchObject({ kind: 'erasure', state: 'completed', erasure: { subject: { sessionId: own }, requestedBy: ann.userId } });

  await expect(get(ann.token, `acme/sessions/${own}`)).rejects.toEqual(refusal('session/not-found'));
  await expect(platform.api.call('/api/v1/tenant/acme/agent', { method: 'POST', token: ann.token, body: { prompt: 'Hello', session_id: own } })).rejects.toEqual(refusal('session/not-found'));
  expect(await keysInValkey()).not.toContain(own);
  expect(await isInTemporal(own)).toBe(false);
  // But for the mark that keeps the id.
  const left = (await everythingOf('acme')).split('\n').filter((line) => line.includes(own));
  expect(left.map((line) => JSON.parse(line) as unknown)).toEqual([{ pk: `SESSION#${own}`, sk: 'RECORD', erased: true }]);
  expect((await ann.log(large)).length).toBeGreaterThan(0);

  const statement = await signed(ann.token, operation.operationId);
  expect(statement.statement).toMatchObject({ subject: { sessionId: own }, sessions: [own], backups: [{ backupId }] });
  expect(statement.statement.places.map(({ place, after }) => [place, after])).toEqual([['table', 0], ['bucket', 0], ['memory', 0], ['live', 0], ['temporal', 0]]);
  expect(statement.statement.places.find(({ place }) => place === 'table')?.before).toBeGreaterThan(3);
  const { jwk } = await platform.api.call<{ jwk: PublicKey }>('/api/v1/certificates/key');
  expect(await isSignedErasure(statement, jwk)).toBe(true);
  expect(await isSignedErasure({ ...statement, statement: { ...statement.statement, sessions: [] } }, jwk)).toBe(false);
  await expect(get(ben.token, `acme/erasures/${operation.operationId}`)).rejects.toEqual(refusal('erasure/not-found'));
});

it('erases a user although the worker dies twice on the way: sessions in the middle of a turn, schedules and facts; the other user keeps everything', async () => {
  const before = await ben.log(bens);
  expect(await everythingOf('acme')).toContain(canary);
  await platform.model.script({ match: 'Think long', steps: [{ say: 'yes', holdAfter: 0 }] });
  await post(ann.token, `acme/sessions/${busy}/messages`, { text: `Think long about ${canary}.` });
  while ((await platform.model.holding('Think long')) === 0) await delay(50);

  await expect(post(ann.token, `acme/users/${ben.userId}/erase`)).rejects.toEqual(refusal('auth/forbidden'));
  const operation = await post(platform.operator, `acme/users/${ann.userId}/erase`);
  await expect(post(platform.operator, 'acme/suspend', { turns: 'finish' })).rejects.toEqual(refusal('tenant/busy'));
  platform.services.worker.kill('SIGKILL');
  const isHiding = ({ steps }: Operation) => steps.some(({ name, state }) => name === 'end_sessions' && state === 'completed');
  while (!(await platform.api.call<Operation>(`/api/v1/operations/${operation.operationId}`, { token: platform.operator }).then(isHiding, () => false))) await delay(50);
  platform.services.worker.kill('SIGKILL');
  expect(await platform.ended(operation)).toMatchObject({ state: 'completed' });

  expect(await everythingOf('acme')).not.toContain(canary);
  const keys = await keysInValkey();
  for (const sessionId of [large, busy]) {
    expect(keys).not.toContain(sessionId);
    expect(await versionsOf(sessionId)).toBe(0);
    expect(await isInTemporal(sessionId)).toBe(false);
  }
  expect(await adapters.agentClock.names('acme')).toEqual([]);
  expect((await get<{ data: unknown[] }>(ann.token, 'acme/memories')).data).toEqual([]);
  expect((await get<{ data: unknown[] }>(ann.token, 'acme/sessions')).data).toEqual([]);

  expect(await ben.log(bens)).toEqual(before);
  expect((await ben.ask(bens, 'What is my color?')).answer).toContain('color=green');
  const { statement } = await signed(platform.operator, operation.operationId);
  expect(statement).toMatchObject({ subject: { userId: ann.userId }, schedules: ['morning'], requestedBy: expect.any(String) as unknown });
  expect([...statement.sessions].sort()).toEqual([large, busy].sort());
  expect(statement.places.every(({ after }) => after === 0)).toBe(true);
  for (const place of ['table', 'bucket', 'memory', 'temporal']) expect(statement.places.find((one) => one.place === place)?.before).toBeGreaterThan(0);
  await expect(get(ann.token, `acme/erasures/${operation.operationId}`)).rejects.toEqual(refusal('erasure/not-found'));
});

it('is not undone by a restore of an older backup, which says what it left out', async () => {
  const restored = await platform.ended(await post(platform.operator, 'globex/restore', { backupId, sourceTenantId: 'acme' }));
  expect(restored).toMatchObject({ state: 'completed' });
  expect(restored.comparison?.every(({ records, found, hashesAgree }) => records === found && hashesAgree)).toBe(true);
  expect(restored.comparison?.flatMap(({ content, leftOut = 0 }) => (leftOut > 0 ? [content] : []))).toEqual(['memory', 'table', 'objects']);
  const there = await everythingOf('globex');
  expect(there).not.toContain(canary);
  for (const sessionId of [own, large]) expect(there).not.toContain(sessionId);
  expect(there).toContain('color=green');
  expect(there).toContain(bens);
});

it('is not undone by the backup of another tenant, either, whose users have other ids', async () => {
  const { data } = await get<{ data: { userId: string; email: string }[] }>(platform.operator, 'globex/users');
  const benThere = data.find(({ email }) => email.startsWith('ben'))?.userId ?? '';
  expect([benThere.length > 0, benThere === ben.userId]).toEqual([true, false]);
  expect(await platform.ended(await post(platform.operator, `globex/users/${benThere}/erase`))).toMatchObject({ state: 'completed' });
  expect(await everythingOf('globex')).not.toContain('color=green');
  await platform.ended(await post(platform.operator, 'globex/suspend', { turns: 'finish' }));
  expect(await platform.ended(await post(platform.operator, 'globex/restore', { backupId, sourceTenantId: 'acme' }))).toMatchObject({ state: 'completed' });
  const there = await everythingOf('globex');
  expect(there).not.toContain('color=green');
  expect(there).not.toContain(`MESSAGES#${bens}`);
});
