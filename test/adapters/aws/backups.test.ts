import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { openFrames, sealFrames } from '../../../src/adapters/aws/backup/frames';
import { createBackupStore } from '../../../src/adapters/aws/backup/store';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { createEnvelope } from '../../../src/adapters/aws/envelope';
import { callerAccount } from '../../../src/adapters/aws/tenant-access';
import type { BackupManifest } from '../../../src/contracts/backup';
import type { EventBody } from '../../../src/contracts/events';
import { objectKeys, platformResources, tenantResources } from '../../../src/contracts/names';
import { AgentConfig } from '../../../src/contracts/tenant';
import { aws, backups, configs, data, log, memory, messages, newSession, newTenantId, registry, sessions, settings, stacks, standingPlatform, standingTenant, users, waiting } from './tenants';

const envelope = createEnvelope({ kms: () => aws.kms, keyId: () => Promise.resolve(platformResources.backupKeyAlias), keyContext: { purpose: 'backup' } });

let Bucket: string;
beforeAll(async () => {
  await standingPlatform();
  Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
});

/** So that its part takes more than one frame. */
const incompressible = randomBytes(350_000).toString('hex');
const said = (text: string): EventBody => ({ type: 'message.completed', turnId: 'turn-1', step: 1, text, stopReason: 'end_turn' });

/** A tenant with something of everything, one batch so large that it lies in the bucket. */
async function livedInTenant() {
  const { tenantId, infrastructure } = await standingTenant();
  const session = newSession(tenantId);
  await sessions.create({ ...session, userId: 'ann', createdAt: new Date().toISOString() });
  await messages.put(session, { turnId: 'turn-1', userId: 'ann', text: 'my colour is blue' });
  await log.append(session, { after: 0, key: 'small', events: [said('my colour is blue')] });
  await log.append(session, { after: 1, key: 'large', events: [said(incompressible)] });
  await memory.remember({ tenantId, userId: 'ann' }, { requestId: 'r-1', text: 'color=blue' });
  await aws.s3.send(new PutObjectCommand({ Bucket: infrastructure.bucketName, Key: 'exports/report.pdf', Body: Buffer.alloc(600_000, 'pdf'), ContentType: 'application/pdf' }));
  await configs.put(tenantId, AgentConfig.parse({}));
  await users.create(infrastructure.userPoolId, { email: 'ann@example.com', groups: ['members'] });
  return { tenantId, session };
}

async function objectAt(Key: string): Promise<Buffer> {
  const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function* chunksOf(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield await Promise.resolve(bytes.subarray(start, start + size));
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** As somebody with the backup key reads it, knowing docs/backup-format.md and nothing of the tenant. */
async function recordsOf({ tenantId, backupId }: BackupManifest, part: string): Promise<Record<string, unknown>[]> {
  const sealed = await objectAt(objectKeys.backup(tenantId, backupId, part));
  const plain = gunzipSync(await collected(openFrames(envelope, { tenant: tenantId, backup: backupId, part }, chunksOf(sealed))));
  return plain.toString('utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('holds all a tenant has, readable when the tenant and its key are gone', async () => {
  const { tenantId, session } = await livedInTenant();
  const manifest = await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  expect(manifest.parts.map(({ name, records }) => [name, records])).toEqual([
    ['users-000001.jsonl.gz', 1],
    ['config-000001.jsonl.gz', 1],
    ['memory-000001.jsonl.gz', 1],
    ['table-000001.jsonl.gz', 6],
    ['objects-000001.jsonl.gz', 3],
  ]);
  expect(await backups.verify(tenantId, 'bak-1', { operationId: 'op', againstTenant: true }, waiting)).toEqual(manifest);
  expect((await objectAt(objectKeys.backup(tenantId, 'bak-1', 'table-000001.jsonl.gz'))).includes('blue')).toBe(false);

  await data.emptyBucket(tenantId, waiting);
  await stacks.delete(tenantId, waiting);
  await data.scheduleKeyDeletion(tenantId);
  const table = await recordsOf(manifest, 'table-000001.jsonl.gz');
  const events = table.flatMap((record) => (record['events'] as { text?: string }[] | undefined) ?? []);
  expect(events.map(({ text }) => text?.slice(0, 17))).toEqual(['my colour is blue', incompressible.slice(0, 17)]);
  expect(table.find(({ pk }) => pk === `MESSAGES#${session.sessionId}`)).toMatchObject({ message: { text: 'my colour is blue' } });
  expect(await recordsOf(manifest, 'memory-000001.jsonl.gz')).toEqual([expect.objectContaining({ text: 'color=blue' })]);
  expect(await recordsOf(manifest, 'users-000001.jsonl.gz')).toEqual([expect.objectContaining({ email: 'ann@example.com', groups: ['members'] })]);
});

it('says what operators and administrators have allowed the tenant, since no part has it', async () => {
  const { tenantId } = await standingTenant();
  const allowed = { rate: { requestsPerMinute: 7, burst: 7 }, operatorBudgets: { tenantMonth: { microUsd: 100_000_000 } }, ownBudgets: { userDay: { microUsd: 1_000_000 } }, budgetsRevision: 2 };
  await registry.update(tenantId, allowed);
  await configs.put(tenantId, AgentConfig.parse({}));
  await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  expect((await backups.get(tenantId, 'bak-1'))?.tenant).toEqual({ displayName: tenantId, tier: 'standard', ...allowed });
});

describe('is not verified when', () => {
  const verification = (tenantId: string) => backups.verify(tenantId, 'bak-1', { operationId: 'op', againstTenant: true }, waiting);
  const incomplete = { code: 'backup/incomplete' };

  async function backedUp(): Promise<{ tenantId: string; Key: string; session: ReturnType<typeof newSession> }> {
    const { tenantId, session } = await livedInTenant();
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    return { tenantId, session, Key: objectKeys.backup(tenantId, 'bak-1', 'table-000001.jsonl.gz') };
  }

  it('the tenant has more by now', async () => {
    const { tenantId, session } = await backedUp();
    await messages.put(session, { turnId: 'turn-9', userId: 'ann', text: 'one more' });
    await expect(verification(tenantId)).rejects.toMatchObject(incomplete);
  });

  it('there is none', async () => {
    const { tenantId } = await standingTenant();
    await expect(verification(tenantId)).rejects.toMatchObject({ code: 'backup/not-found' });
  });

  it('a part is missing', async () => {
    const { tenantId, Key } = await backedUp();
    await aws.s3.send(new DeleteObjectCommand({ Bucket, Key }));
    await expect(verification(tenantId)).rejects.toMatchObject(incomplete);
  });

  it.each<[string, (bytes: Buffer) => Uint8Array]>([
    ['changed', (bytes) => Uint8Array.from(bytes, (byte, index) => (index === 500 ? byte ^ 1 : byte))],
    ['cut short', (bytes) => bytes.subarray(0, -1)],
    ['cut after a frame', (bytes) => bytes.subarray(0, 4 + bytes.readUInt32BE(0))],
    ['empty', () => Buffer.alloc(0)],
  ])('a part was %s', async (_, change) => {
    const { tenantId, Key } = await backedUp();
    await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: change(await objectAt(Key)) }));
    await expect(verification(tenantId)).rejects.toMatchObject(incomplete);
  });

  it.each([0, 20, -1])('what is compressed in a part ends early, at %i', async (end) => {
    const { tenantId, Key } = await backedUp();
    const place = { tenant: tenantId, backup: 'bak-1', part: 'table-000001.jsonl.gz' };
    const compressed = await collected(openFrames(envelope, place, chunksOf(await objectAt(Key))));
    // Sealed in order, so that the frames have nothing to say against it.
    const Body = await collected(sealFrames(envelope, place, chunksOf(compressed.subarray(0, end), 100_000)));
    await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
    await expect(verification(tenantId)).rejects.toMatchObject(incomplete);
  });

  it('a part is another one of the same backup', async () => {
    const { tenantId, Key } = await backedUp();
    await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: await objectAt(Key.replace('table', 'users')) }));
    await expect(verification(tenantId)).rejects.toMatchObject(incomplete);
  });
});

it('gives a part to whoever pauses in it for longer than S3 may be silent', async () => {
  const silenceTimeoutMs = 1_000;
  const store = createBackupStore(createPlatformClients({ ...settings, silenceTimeoutMs }));
  const [ref, name] = [{ tenantId: newTenantId(), backupId: 'bak-1' }, 'table-000001.jsonl.gz'];
  // More than what waits on the way, in sockets and streams.
  const plain = randomBytes(6_000_000);
  await store.putPart(ref, name, plain);
  const read: Uint8Array[] = [];
  for await (const chunk of store.readPart(ref, { name })) {
    if (read.length === 0) await delay(2 * silenceTimeoutMs);
    read.push(chunk);
  }
  expect(plain.equals(Buffer.concat(read))).toBe(true);
});

it.each([
  ['a digest that looks like a time to come', 'bak-7zzzzzzzzz0123456789abcdef'],
  ['a digest that looks like a time long ago', 'bak-00000000000123456789abcdef'],
  ['no time', 'bak-iloiloiloiloiloiloiloiloil'],
])('gives up a backup that was never finished by when it was written, where its id is %s', async (_what, backupId) => {
  const { tenantId } = await standingTenant();
  await aws.s3.send(new PutObjectCommand({ Bucket, Key: objectKeys.backup(tenantId, backupId, 'table-000001.jsonl.gz'), Body: 'half' }));
  const [kept] = await backups.kept(tenantId);
  if (kept?.state !== 'unfinished') throw new Error('It is listed as something else.');
  expect(Math.abs(Date.parse(kept.startedAt ?? '') - Date.now())).toBeLessThan(60_000);
  expect(await backups.prune(tenantId)).toEqual([]);
  expect(await backups.prune(tenantId, { hasLeft: true })).toEqual([]);
});

describe('is not complete without what the tenant needs to come back:', () => {
  it.each([
    ['a configuration', 'it is not there', (Name: string) => aws.ssm.send(new DeleteParameterCommand({ Name }))],
    ['one that can be read', 'modelId: ', (Name: string) => aws.ssm.send(new PutParameterCommand({ Name, Value: '{"modelId":7}', Type: 'SecureString', Overwrite: true }))],
  ])('%s', async (_what, why, harm) => {
    const { tenantId } = await livedInTenant();
    const { agentParameter } = tenantResources(tenantId);
    await harm(agentParameter);
    const refused = (await backups.take(tenantId, 'bak-1', 'on-demand', waiting).catch((error: unknown) => error)) as Error;
    expect(refused).toMatchObject({ code: 'backup/incomplete', message: expect.stringContaining(agentParameter) as unknown });
    expect(refused.message).toContain(why);
    expect((await backups.kept(tenantId)).map(({ state }) => state)).not.toContain('complete');
    await configs.put(tenantId, AgentConfig.parse({}));
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    await backups.verify(tenantId, 'bak-1', { operationId: 'op', againstTenant: true }, waiting);
  });
});

it('stops when it is told to', async () => {
  const { tenantId } = await livedInTenant();
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(backups.take(tenantId, 'bak-2', 'on-demand', { ...waiting, signal })).rejects.toThrow('enough');
});

describe('frames', () => {
  const place = { tenant: 'acme', backup: 'bak-1', part: 'table-000001.jsonl.gz' };

  it.each([0, 1, 256 * 1_024 - 1, 256 * 1_024, 256 * 1_024 + 1, 600_000])('carry %i bytes, however they arrive', async (length) => {
    const plain = Buffer.alloc(length, 'abc');
    const sealed = await collected(sealFrames(envelope, place, chunksOf(plain, 10_000)));
    for (const size of [1_000, 65_536, sealed.length]) expect((await collected(openFrames(envelope, place, chunksOf(sealed, size)))).equals(plain)).toBe(true);
  });
});
