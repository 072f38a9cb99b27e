import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { CopyObjectCommand, GetObjectCommand, ListObjectsV2Command, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { MockActivityEnvironment } from '@temporalio/testing';
import { countClosed, createUsageActivities } from '../../../src/activities/maintenance/usage';
import { closeBudget } from '../../../src/activities/session/step-budget';
import { createApprovals } from '../../../src/adapters/aws/approvals';
import { createBackups } from '../../../src/adapters/aws/backup/backups';
import { sealFrames } from '../../../src/adapters/aws/backup/frames';
import { toLine } from '../../../src/adapters/aws/backup/json-lines';
import { createRestores } from '../../../src/adapters/aws/backup/restores';
import { createBudgetLedger } from '../../../src/adapters/aws/budget-ledger';
import { createEnvelope } from '../../../src/adapters/aws/envelope';
import { createMetrics } from '../../../src/adapters/aws/metrics';
import { createSessionLog } from '../../../src/adapters/aws/session-log';
import { callerAccount } from '../../../src/adapters/aws/tenant-access';
import { createTenantDirectory } from '../../../src/adapters/aws/tenant-directory';
import { createUsageStore } from '../../../src/adapters/aws/usage-store';
import { addressDigest } from '../../../src/contracts/address-digest';
import type { EventBody } from '../../../src/contracts/events';
import { AgentSchedule } from '../../../src/contracts/schedule';
import { type AccessPurpose, budgetCounters, objectKeys, platformResources, tableKeys, tenantResources } from '../../../src/contracts/names';
import { AgentConfig } from '../../../src/contracts/tenant';
import { access, agents, agentSchedules, attachments, aws, backupDeps, backups, cipher, configs, data, erasures, log, memory, messages, newSession, newTenantId, registry, restores, sessions, standingPlatform, standingTenant, users, waiting } from './tenants';

beforeAll(async () => {
  await standingPlatform();
});

/** What a tool for a database is asked, and looks like bytes and sets of the backup's own. */
const lookingLikeOurs = { update: { $set: ['paid'] }, file: { $bytes: 'aGVsbG8=' } };
const requested: EventBody = { type: 'tool.requested', turnId: 'turn-1', step: 1, callId: 'call-1', tool: 'orders__update', input: lookingLikeOurs };
const said = (text: string): EventBody => ({ type: 'message.completed', turnId: 'turn-1', step: 1, text, stopReason: 'end_turn' });

/** A tenant whose users have sessions and facts of their own, and something of all else. */
async function livedInTenant() {
  const tenant = await standingTenant();
  const { tenantId, infrastructure } = tenant;
  const ann = await users.create(infrastructure.userPoolId, { email: 'ann@example.com', groups: ['members'] });
  const session = newSession(tenantId);
  await sessions.create({ ...session, userId: ann.userId, createdAt: new Date().toISOString() });
  // More than one chunk of a backup.
  const attached = await attachments.put(session, { name: 'colour.txt', mediaType: 'text/plain', content: Buffer.from('blue '.repeat(100_000)) });
  await messages.put(session, { turnId: 'turn-1', userId: ann.userId, text: 'my colour is blue', attachments: [attached] }, 'digest-1');
  await log.append(session, { after: 0, key: 'small', events: [said('my colour is blue')] });
  await log.append(session, { after: 1, key: 'large', events: [said('x'.repeat(700_000))] });
  await log.append(session, { after: 2, key: 'tool', events: [requested] });
  await memory.remember({ tenantId, userId: ann.userId }, { requestId: 'r-1', text: 'color=blue' });
  await configs.put(tenantId, AgentConfig.parse({ systemPrompt: 'Speak like a pirate.' }));
  await agents.create(tenantId, { name: 'parrot' }, { settings: AgentConfig.parse({ systemPrompt: 'Repeat.' }), by: ann.userId, requestId: 'pub-1' });
  const at = new Date().toISOString();
  await agentSchedules.create(tenantId, AgentSchedule.parse({ name: 'hourly', times: { everySeconds: 3_600 }, userId: ann.userId, requestId: 'req-1', revision: 1, createdAt: at, updatedAt: at }), 'Look around.');
  await agentSchedules.putRun(tenantId, { runId: 'run-1', schedule: 'hourly', startedAt: at, outcome: 'completed' });
  return { tenantId, infrastructure, ann, session, attached };
}

/** Without a configuration it could not be backed up. */
async function configuredTenant() {
  const tenant = await standingTenant();
  await configs.put(tenant.tenantId, AgentConfig.parse({}));
  return tenant;
}

const restored = async (into: string, source: { sourceTenantId: string; backupId: string; until?: string }) => {
  await restores.users(into, source, waiting);
  await restores.data(into, 'op-1', source, waiting);
  return restores.compare(into, source, waiting);
};

it('gives another tenant all that the first one had, under its own key and with its own user ids', async () => {
  const { tenantId, ann, session, attached } = await livedInTenant();
  await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  const other = await standingTenant();
  const comparison = await restored(other.tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' });
  expect(comparison.map(({ content, found, hashesAgree }) => [content, found, hashesAgree])).toEqual([
    ['users', 1, true],
    ['config', 1, true],
    ['memory', 1, true],
    ['table', 13, true],
    ['objects', 2, true],
  ]);
  const there = { tenantId: other.tenantId, sessionId: session.sessionId };
  const annThere = await users.create(other.infrastructure.userPoolId, { email: ann.email, groups: [] });
  expect(annThere).toMatchObject({ email: ann.email, groups: ['members'], enabled: true });
  expect(annThere.userId).not.toBe(ann.userId);
  const { userId } = annThere;
  expect(await sessions.get(there)).toMatchObject({ tenantId: other.tenantId, userId });
  expect((await sessions.list(other.tenantId, { userId, limit: 10 })).sessions).toHaveLength(1);
  expect(await messages.get(there, 'turn-1')).toMatchObject({ userId, text: 'my colour is blue', attachments: [{ attachmentId: attached.attachmentId, name: 'colour.txt' }] });
  await expect(messages.put(there, { turnId: 'turn-1', userId, text: 'my colour is blue', attachments: [attached] }, 'digest-2')).rejects.toMatchObject({ code: 'idempotency/key-reused' });
  expect(await attachments.get(there, attached.attachmentId)).toEqual(attached);
  expect(Buffer.from((await attachments.read(there, attached.attachmentId)) ?? []).toString()).toBe('blue '.repeat(100_000));
  expect(await log.read(there, { after: 0 })).toMatchObject([{ seq: 1 }, { seq: 2, text: 'x'.repeat(700_000) }, { seq: 3, input: lookingLikeOurs }]);
  expect(await memory.recall({ tenantId: other.tenantId, userId }, { text: 'color' })).toMatchObject([{ text: 'color=blue' }]);
  expect((await configs.get(other.tenantId)).systemPrompt).toBe('Speak like a pirate.');
  expect(await agents.version(other.tenantId, { name: 'parrot', version: 1 })).toMatchObject({ createdBy: userId, settings: { systemPrompt: 'Repeat.' } });
  expect(await agentSchedules.list(other.tenantId)).toMatchObject([{ name: 'hourly', userId, times: { everySeconds: 3_600 } }]);
  expect(await agentSchedules.prompt(other.tenantId, 'hourly')).toBe('Look around.');
  expect((await agentSchedules.runs(other.tenantId, 'hourly', { limit: 10 })).runs).toMatchObject([{ runId: 'run-1', outcome: 'completed' }]);
});

it('makes users what they were in the backup, and takes that back: who had left is gone again', async () => {
  const { tenantId, infrastructure, ann } = await livedInTenant();
  const pool = infrastructure.userPoolId;
  const people = async () => {
    const found: [string, string, ...string[]][] = [];
    for await (const { userId, email, groups } of users.all(pool)) found.push([email, userId, ...groups]);
    return found.sort();
  };
  await users.create(pool, { email: 'bob@example.com', groups: ['members'] });
  await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  await users.delete(pool, 'bob@example.com');
  await users.create(pool, { email: ann.email, groups: ['administrators'] });
  await users.create(pool, { email: 'eve@example.com', groups: ['members'] });
  const before = await people();
  await backups.take(tenantId, 'bak-2', 'before-restore', waiting);
  const [source, own] = [{ sourceTenantId: tenantId, backupId: 'bak-1' }, { sourceTenantId: tenantId, backupId: 'bak-2' }];
  await restores.users(tenantId, source, waiting);
  expect((await people()).map(([email, , ...groups]) => [email, ...groups])).toEqual([[ann.email, 'members'], ['bob@example.com', 'members'], ['eve@example.com', 'members']]);
  // A second time, as after a kill.
  const takeBack = () => restores.takeBackUsers(tenantId, source, own, waiting);
  await takeBack();
  await takeBack();
  expect((await people()).map(([email, userId, ...groups]) => [email, userId, ...groups.sort()])).toEqual(before.map(([email, userId, ...groups]) => [email, userId, ...groups.sort()]));
});

describe('of a tenant that worked on while it was backed up', () => {
  /** Takes a backup, and has something happen once its users are written. */
  const takeWhile = (tenantId: string, happens: () => Promise<void>) => {
    const meanwhile: typeof memory = {
      ...memory,
      async *all(of) {
        await happens();
        yield* memory.all(of);
      },
    };
    return createBackups({ ...backupDeps, memory: meanwhile }).take(tenantId, 'bak-1', 'on-demand', waiting);
  };

  it('takes whoever joined meanwhile by the same id, in place and elsewhere', async () => {
    const { tenantId, infrastructure } = await livedInTenant();
    await takeWhile(tenantId, async () => {
      const { userId } = await users.create(infrastructure.userPoolId, { email: 'bob@example.com', groups: ['members'] });
      await sessions.create({ ...newSession(tenantId), userId, createdAt: new Date().toISOString() });
    });
    const source = { sourceTenantId: tenantId, backupId: 'bak-1' };
    const same = expect.arrayContaining([expect.objectContaining({ content: 'table', hashesAgree: true })]) as unknown;
    expect(await restored(tenantId, source)).toEqual(same);
    expect(await restored((await standingTenant()).tenantId, source)).toEqual(same);
  });

  it('knows who left before it went on after a kill', async () => {
    const { tenantId, infrastructure, ann } = await livedInTenant();
    const killed = takeWhile(tenantId, async () => {
      await users.delete(infrastructure.userPoolId, ann.email);
      throw new Error('killed');
    });
    await expect(killed).rejects.toThrow('killed');
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    const other = await standingTenant();
    await restored(other.tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' });
    const { userId } = await users.create(other.infrastructure.userPoolId, { email: ann.email, groups: [] });
    expect((await sessions.list(other.tenantId, { userId, limit: 10 })).sessions).toHaveLength(1);
  });
});

describe.each<[string, (tenant: Awaited<ReturnType<typeof livedInTenant>>) => Promise<{ tenantId: string; userPoolId: string }>]>([
  ['in place', async ({ tenantId, infrastructure: { userPoolId }, ann }) => {
    await users.delete(userPoolId, ann.email);
    return { tenantId, userPoolId };
  }],
  ['into another tenant', async () => {
    const { tenantId, infrastructure: { userPoolId } } = await standingTenant();
    return { tenantId, userPoolId };
  }],
])('after a restore %s, which has given a user another id', (_where, place) => {
  it('leaves out what was erased of the user since, though the account is deleted again', async () => {
    const tenant = await livedInTenant();
    const { ann, session } = tenant;
    await backups.take(tenant.tenantId, 'bak-1', 'on-demand', waiting);
    const source = { sourceTenantId: tenant.tenantId, backupId: 'bak-1' };
    const { tenantId, userPoolId } = await place(tenant);
    await restored(tenantId, source);
    const held = async (userId: string) => [(await memory.list({ tenantId, userId }, { limit: 10 })).facts.length, (await sessions.list(tenantId, { userId, limit: 10 })).sessions.length, (await agentSchedules.list(tenantId)).length];
    const idOf = async () => (await users.create(userPoolId, { email: ann.email, groups: [] })).userId;
    const userId = await idOf();
    expect(userId).not.toBe(ann.userId);
    expect(await held(userId)).toEqual([1, 1, 1]);

    const at = new Date().toISOString();
    const found = { table: 1, bucket: 0, memory: 1, live: 0, temporal: 0 };
    const operationId = `erasure_${tenantId}_1`;
    // The session was lost before: no plan names it.
    await erasures.plan({ tenantId, operationId, subject: { userId }, addressDigest: addressDigest(operationId, ann.email), requestedBy: 'op', requestedAt: at, sessions: [], schedules: ['hourly'], found });
    await users.delete(userPoolId, ann.email);
    const comparison = await restored(tenantId, source);
    expect(comparison.filter(({ leftOut = 0 }) => leftOut > 0).map(({ content }) => content)).toEqual(['memory', 'table', 'objects']);
    expect(await held(await idOf())).toEqual([0, 0, 0]);
    expect(await sessions.get({ ...session, tenantId })).toBeUndefined();
  });
});

describe('to a point', () => {
  const usage = createUsageStore({ access });
  const called = (times: number): EventBody[] =>
    Array.from({ length: times }, () => ({ type: 'usage.recorded', turnId: 'turn-1', step: 1, modelId: 'large', usage: { inputTokens: 10, outputTokens: 1 }, costMicroUsd: 5 }));
  const rollUp = (tenantId: string, of: typeof log) => {
    const activities = createUsageActivities({ sessions, log: of, usage, metrics: createMetrics(aws) });
    return new MockActivityEnvironment().run(() => activities.rollUpUsage({ tenantId }));
  };

  it.each<[string, (tenantId: string) => Promise<string>]>([
    ['in place', (tenantId) => Promise.resolve(tenantId)],
    ['into another tenant', async () => (await standingTenant()).tenantId],
  ])('%s, what is used from there on is counted', async (_where, place) => {
    const { tenantId } = await configuredTenant();
    const dayBefore = new Date(Date.now() - 86_400_000).toISOString();
    const [cut, reopened] = [newSession(tenantId), newSession(tenantId)];
    for (const session of [cut, reopened]) await sessions.create({ ...session, userId: 'ann', createdAt: dayBefore });
    await log.append(reopened, { after: 0, key: 'kept', events: called(1) });
    await log.append(cut, { after: 0, key: 'kept', events: called(1) });
    const until = (await log.read(cut, { after: 0 })).at(-1)?.at ?? '';
    await log.append(cut, { after: 1, key: 'left out', events: called(3) });
    await log.append(reopened, { after: 1, key: 'left out', events: [{ type: 'session.closed' }] });
    await sessions.close(reopened, new Date().toISOString());
    // Newer by more than clocks differ: a roll-up looks no further back for new sessions.
    await sessions.create({ ...newSession(tenantId), userId: 'ann', createdAt: new Date(Date.now() - 3_600_000).toISOString() });
    expect(await rollUp(tenantId, log)).toMatchObject({ modelCalls: 5 });
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);

    const there = await place(tenantId);
    await restored(there, { sourceTenantId: tenantId, backupId: 'bak-1', until });
    // As processes do once a tenant was restored: no tail of the log of before.
    const afterwards = createSessionLog({ access, cipher });
    expect(await rollUp(there, afterwards)).toMatchObject({ modelCalls: 0 });
    for (const { sessionId } of [cut, reopened]) await afterwards.append({ tenantId: there, sessionId }, { after: 1, key: 'from there on', events: called(2) });
    expect(await rollUp(there, afterwards)).toMatchObject({ modelCalls: 4 });
  });
});

describe('what was used and spent', () => {
  const usage = createUsageStore({ access });
  const ledger = createBudgetLedger({ access });
  const day = new Date().toISOString().slice(0, 10);
  const month = budgetCounters.tenantMonth(day);
  const amounts = { microUsd: 300, tokens: 100, modelCalls: 1 };
  const levels = [{ level: 'tenantMonth' as const, counter: month, limit: { tokens: 1_000_000 } }];
  const stepOf = (session: ReturnType<typeof newSession>, turnId: string) => ({ ...session, turnId, step: 1 });
  const heldBy = (holder: string) => ({ holder, amounts, counters: [month] });

  async function spend(session: ReturnType<typeof newSession>, turnId: string): Promise<void> {
    await ledger.reserve(stepOf(session, turnId), heldBy(turnId), levels);
    await ledger.close(stepOf(session, turnId), heldBy(turnId), { settled: amounts });
  }

  const used = (turnId: string): EventBody => ({ type: 'usage.recorded', turnId, step: 1, modelId: 'large', usage: { inputTokens: 10, outputTokens: 1 } });
  const rollUp = (session: ReturnType<typeof newSession>, of = log) => countClosed({ log: of, usage }, { ...session, userId: 'ann', createdAt: day });
  const calls = async (tenantId: string) => (await usage.read(tenantId, { period: 'day', from: day, to: '9999' })).reduce((sum, { modelCalls }) => sum + modelCalls, 0);

  it('since the backup stays, in place, and nothing of it is counted twice', async () => {
    const { tenantId } = await configuredTenant();
    const [session, later] = [newSession(tenantId), newSession(tenantId)];
    await sessions.create({ ...session, userId: 'ann', createdAt: `${day}T00:00:00.000Z` });
    await log.append(session, { after: 0, key: 'turn-1', events: [used('turn-1')] });
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    await log.append(session, { after: 1, key: 'turn-2', events: [used('turn-2')] });
    await log.append(later, { after: 0, key: 'turn-3', events: [used('turn-3')] });
    for (const one of [session, later]) await rollUp(one);
    await spend(session, 'turn-2');
    // Its worker dies: nobody comes back to it.
    await ledger.reserve(stepOf(later, 'turn-4'), heldBy('dead'), levels);

    await registry.transition({ tenantId, from: ['active'], to: 'suspended', operationId: 'op-1' });
    const place = createRestores({ ...backupDeps, directory: createTenantDirectory({ registry, cacheMs: 0 }), data, erasures });
    const source = { sourceTenantId: tenantId, backupId: 'bak-1' };
    await place.users(tenantId, source, waiting);
    await place.data(tenantId, 'op-1', source, waiting);
    await expect(place.compare(tenantId, source, waiting)).resolves.toHaveLength(5);

    expect(await ledger.counters(tenantId, [month])).toMatchObject({ [month]: { settled: amounts, lost: amounts, reserved: { tokens: 0 } } });
    expect(await usage.countedUpTo(later)).toBe(0);
    const afterwards = createSessionLog({ access, cipher });
    await rollUp(session, afterwards);
    expect(await calls(tenantId)).toBe(3);
    await afterwards.append(session, { after: 1, key: 'turn-5', events: [used('turn-5')] });
    await rollUp(session, afterwards);
    expect(await calls(tenantId)).toBe(4);
  });

  /** The table is read in pages: the first one ends between counters and what is held. */
  async function backedUpAcross(tenantId: string, meanwhile: () => Promise<unknown>): Promise<void> {
    const backup = access.clients(tenantId, 'backup');
    const filler = Array.from({ length: 8 }, (_, index) => ({ pk: `BUDGET$${index}`, sk: 'x', text: 'x'.repeat(300_000) }));
    for (const Item of filler) await access.clients(tenantId, 'usage').table.send(new PutCommand({ TableName: tenantResources(tenantId).table, Item }));
    let pages = 0;
    const table = Object.assign(Object.create(backup.table) as typeof backup.table, {
      async send(command: ScanCommand) {
        const page = await backup.table.send(command);
        if (command instanceof ScanCommand && (pages += 1) === 1) await meanwhile();
        return page;
      },
    });
    const watched = { ...access, clients: (id: string, purpose: AccessPurpose) => (purpose === 'backup' ? (Object.create(backup, { table: { value: table } }) as typeof backup) : access.clients(id, purpose)) };
    await createBackups({ ...backupDeps, access: watched }).take(tenantId, 'bak-1', 'scheduled', waiting);
    expect(pages).toBeGreaterThan(1);
  }

  it.each<[string, (step: ReturnType<typeof stepOf>) => Promise<unknown>, (step: ReturnType<typeof stepOf>) => Promise<unknown>]>([
    ['begins', () => Promise.resolve(), (step) => ledger.reserve(step, heldBy('turn-2'), levels)],
    ['ends', (step) => ledger.reserve(step, heldBy('turn-2'), levels), (step) => ledger.close(step, heldBy('turn-2'), { settled: amounts })],
  ])('is held by nobody, and not less than nothing, when a step %s while the table is read', async (_what, before, meanwhile) => {
    const { tenantId } = await configuredTenant();
    const session = newSession(tenantId);
    await spend(session, 'turn-1');
    await before(stepOf(session, 'turn-2'));
    await backedUpAcross(tenantId, () => meanwhile(stepOf(session, 'turn-2')));
    const other = await standingTenant();
    await restored(other.tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' });
    const there = { tenantId: other.tenantId, sessionId: session.sessionId };
    await closeBudget({ budgetLedger: ledger, prices: {} } as never, { ...there, turnId: 'turn-2' }, []);
    expect(await ledger.heldOf(there, 'turn-2')).toEqual([]);
    const { [month]: counter } = await ledger.counters(other.tenantId, [month]);
    expect(counter).toMatchObject({ reserved: { tokens: 0 } });
    expect(counter?.settled.tokens).toBeGreaterThanOrEqual(100);
  });
});

it('to a point, lists approvals as they were then', async () => {
  const approvals = createApprovals({ access });
  const { tenantId } = await configuredTenant();
  const session = newSession(tenantId);
  const [requestedAt, until, later] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z'];
  const call = { turnId: 'turn-1', step: 1, callId: 'call-1', tool: 'pay', argumentsHash: 'hash', argumentsAt: 1, policyVersion: 1, userId: 'ann', notRequester: false, quorum: 1, onExpiry: 'deny' as const };
  const asked = (approvalId: string, at: string) => ({ ...session, ...call, approvalId, requestedAt: at, expiresAt: later, state: 'waiting' as const });
  await approvals.open([asked('apr-1', requestedAt), asked('apr-2', requestedAt), asked('apr-3', later)]);
  await approvals.decide(session, 'apr-1', { decision: 'approved', by: ['bob'], at: until });
  await approvals.decide(session, 'apr-2', { decision: 'denied', by: ['bob'], at: later });
  await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  await restored(tenantId, { sourceTenantId: tenantId, backupId: 'bak-1', until });
  const listed = async (list: 'waiting' | 'decided') => (await approvals.list(tenantId, { list, limit: 10 })).approvals;
  expect(await listed('waiting')).toEqual([asked('apr-2', requestedAt)]);
  expect(await listed('decided')).toMatchObject([{ approvalId: 'apr-1', state: 'approved', by: ['bob'] }]);
  expect((await approvals.ofSession(session)).map(({ approvalId, state }) => [approvalId, state])).toEqual([['apr-1', 'approved'], ['apr-2', 'waiting']]);
});

describe('of a backup that was damaged', () => {
  const damaged = { code: 'backup/incomplete' };

  async function damage(tenantId: string, part: string): Promise<void> {
    const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
    const Key = objectKeys.backup(tenantId, 'bak-1', part);
    const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket, Key }));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
    await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }));
  }

  it.each(['table-000001.jsonl.gz', 'memory-000001.jsonl.gz', 'config-000001.jsonl.gz'])('in place, what the tenant had comes back: %s', async (part) => {
    const { tenantId, session } = await livedInTenant();
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    await messages.put(session, { turnId: 'turn-2', userId: 'ann', text: 'said after the backup' });
    await backups.take(tenantId, 'bak-2', 'before-restore', waiting);
    await damage(tenantId, part);
    await expect(restored(tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' })).rejects.toMatchObject(damaged);

    await restores.data(tenantId, 'op-1', { sourceTenantId: tenantId, backupId: 'bak-2' }, waiting);
    await expect(backups.verify(tenantId, 'bak-2', { operationId: 'op', againstTenant: true }, waiting)).resolves.toMatchObject({ backupId: 'bak-2' });
    expect(await messages.get(session, 'turn-2')).toMatchObject({ text: 'said after the backup' });
  });

  it('its users are taken back as far as they were made', async () => {
    const { tenantId } = await livedInTenant();
    for (const backupId of ['bak-1', 'bak-2']) await backups.take(tenantId, backupId, 'on-demand', waiting);
    await damage(tenantId, 'users-000001.jsonl.gz');
    const [source, own] = [{ sourceTenantId: tenantId, backupId: 'bak-1' }, { sourceTenantId: tenantId, backupId: 'bak-2' }];
    await expect(restores.users(tenantId, source, waiting)).rejects.toMatchObject(damaged);
    await restores.takeBackUsers(tenantId, source, own, waiting);
    await expect(restores.compare(tenantId, own, waiting)).resolves.toMatchObject([{ content: 'users', records: 1, found: 1 }, {}, {}, {}, {}]);
  });

  it('leaves nothing to go on from once it is forgotten', async () => {
    const { tenantId } = await livedInTenant();
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    await damage(tenantId, 'memory-000001.jsonl.gz');
    await expect(restored(tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' })).rejects.toMatchObject(damaged);
    const versions = async () => {
      const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
      const { Versions = [], DeleteMarkers = [] } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: objectKeys.backup(tenantId, 'bak-1', 'restore-') }));
      return Versions.length + DeleteMarkers.length;
    };
    expect(await versions()).toBeGreaterThan(0);
    const forget = () => restores.forget('op-1', { sourceTenantId: tenantId, backupId: 'bak-1' });
    await forget();
    await forget();
    expect(await versions()).toBe(0);
  });

  it("refuses a manifest of another tenant's", async () => {
    const [{ tenantId }, other] = [await livedInTenant(), await standingTenant()];
    await configs.put(other.tenantId, AgentConfig.parse({}));
    await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
    await backups.take(other.tenantId, 'bak-1', 'on-demand', waiting);
    const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
    const [from, to] = [tenantId, other.tenantId].map((id) => objectKeys.backup(id, 'bak-1', 'manifest.json'));
    await aws.s3.send(new CopyObjectCommand({ Bucket, CopySource: `${Bucket}/${from}`, Key: to }));
    await expect(restored(other.tenantId, { sourceTenantId: other.tenantId, backupId: 'bak-1' })).rejects.toMatchObject(damaged);
    // Neither does another name on it help: it is sealed.
    const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket, Key: to }));
    const relabelled = ((await Body?.transformToString()) ?? '').replace(tenantId, other.tenantId);
    await aws.s3.send(new PutObjectCommand({ Bucket, Key: to, Body: relabelled }));
    await expect(restored(other.tenantId, { sourceTenantId: other.tenantId, backupId: 'bak-1' })).rejects.toMatchObject(damaged);
  });
});

describe('the first format', () => {
  const plain = (records: readonly object[]) => Buffer.concat(records.map(toLine));

  /** As the first version wrote it: a part for each content, not compressed, large batches among the objects, a manifest without a seal. */
  async function backedUpBefore(tenantId: string): Promise<void> {
    const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
    const envelope = createEnvelope({ kms: () => aws.kms, keyId: () => Promise.resolve(platformResources.backupKeyAlias), keyContext: { purpose: 'backup' } });
    const createdAt = '2026-01-31T12:00:00.000Z';
    const session = { tenantId, sessionId: 'ses-1', userId: 'old-ann', createdAt };
    const contents: [string, readonly object[]][] = [
      ['table', [
        { pk: tableKeys.session('ses-1'), sk: tableKeys.record(), ...session },
        { pk: tableKeys.sessionsOf('old-ann'), sk: tableKeys.listed(createdAt, 'ses-1'), ...session },
        { pk: tableKeys.events('ses-1'), sk: tableKeys.batch(1), count: 1, batchKey: 'small', at: createdAt, events: [said('my colour is blue')] },
      ]],
      ['objects', [
        { key: `${objectKeys.batches}ses-1/large`, contentType: 'application/octet-stream', base64: Buffer.from('sealed').toString('base64') },
        { key: 'exports/report.txt', contentType: 'text/plain', base64: Buffer.alloc(600_000, 'report').toString('base64') },
      ]],
      ['memory', [{ factId: 'mem-1', namespace: '/users/old-ann/facts', text: 'color=blue', createdAt }]],
      ['config', [{ name: `${tenantResources(tenantId).parameterPrefix}agent`, type: 'String', value: JSON.stringify(AgentConfig.parse({})) }]],
      ['users', [{ userId: 'old-ann', email: 'ann@example.com', groups: ['members'], enabled: true }]],
    ];
    const parts = [];
    for (const [content, records] of contents) {
      const name = `${content}.jsonl`;
      const bytes = plain(records);
      const frames: Uint8Array[] = [];
      for await (const frame of sealFrames(envelope, { tenant: tenantId, backup: 'bak-1', part: name }, Readable.from([bytes]))) frames.push(frame);
      await aws.s3.send(new PutObjectCommand({ Bucket, Key: objectKeys.backup(tenantId, 'bak-1', name), Body: Buffer.concat(frames) }));
      parts.push({ name, records: records.length, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    }
    const manifest = { format: 'tenure-backup/1', backupId: 'bak-1', tenantId, createdAt, parts };
    await aws.s3.send(new PutObjectCommand({ Bucket, Key: objectKeys.backup(tenantId, 'bak-1', 'manifest.json'), Body: JSON.stringify(manifest) }));
  }

  it('is listed, verified and restored', async () => {
    const gone = newTenantId();
    await backedUpBefore(gone);
    expect(await backups.list(gone)).toMatchObject([{ format: 'tenure-backup/1', reason: 'farewell', records: { table: 3, users: 1 } }]);
    await backups.verify(gone, 'bak-1', { operationId: 'op', againstTenant: false }, waiting);
    const { tenantId, infrastructure } = await standingTenant();
    const comparison = await restored(tenantId, { sourceTenantId: gone, backupId: 'bak-1' });
    expect(comparison.every(({ records, found, hashesAgree }) => records === found && hashesAgree)).toBe(true);
    const { userId } = await users.create(infrastructure.userPoolId, { email: 'ann@example.com', groups: [] });
    expect(await memory.recall({ tenantId, userId }, { text: 'color' })).toMatchObject([{ text: 'color=blue' }]);
    expect((await sessions.list(tenantId, { userId, limit: 10 })).sessions).toHaveLength(1);
    expect(await log.read({ tenantId, sessionId: 'ses-1' }, { after: 0 })).toMatchObject([{ seq: 1, text: 'my colour is blue' }]);
    const { Contents } = await aws.s3.send(new ListObjectsV2Command({ Bucket: infrastructure.bucketName }));
    expect(Contents?.map(({ Key }) => Key)).toEqual(['exports/report.txt']);
  });
});
