import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { ApplicationFailure, defaultPayloadConverter, type Payload, toPayloads } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError, encodeErrorToFailure, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow';
import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { temporal } from '@temporalio/proto';
import { codeOf } from '../../../src/contracts/errors';
import { encryptedPayload, platformResources, workflowIds } from '../../../src/contracts/names';
import { access, aws, cipher, freshDataConverter, newOperationId, newTenantId, registry, standingPlatform, standingTenant } from '../aws/tenants';

const freshCodec = () => freshDataConverter().payloadCodecs[0];

const secret = { text: 'the canary sings' };
const payloadOf = (value: unknown): Payload => toPayloads(defaultPayloadConverter, value)?.[0] as Payload;
const workflow = (workflowId: string) => ({ type: 'workflow', namespace: 'default', workflowId }) as const;
const textOf = (payload: Payload | undefined) => JSON.stringify({ data: Buffer.from(payload?.data ?? []).toString('latin1'), metadata: metadataOf(payload) });
const metadataOf = (payload: Payload | undefined) =>
  Object.fromEntries(Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]));
const valueOf = (payload: Payload | undefined): unknown => payload && defaultPayloadConverter.fromPayload(payload);

/** Waits for what must come within 4 s: the directory's answers are a second old at most. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 80; tries += 1) {
    if (await isSo()) return;
    await delay(50);
  }
  throw new Error('It did not come to be.');
}

let tenantId: string;
let keyArn: string;
let session: ReturnType<typeof workflow>;
beforeAll(async () => {
  await standingPlatform();
  const tenant = await standingTenant();
  tenantId = tenant.tenantId;
  keyArn = tenant.infrastructure.keyArn;
  session = workflow(workflowIds.session(tenantId, 'ses-1'));
});

const bytesOf = (payload: Payload | undefined) => Buffer.from(payload?.data ?? []);
/** Of a session's payload: version and tenant, data key, mark of the workflow. */
const partsOf = (payload: Payload | undefined) => {
  const bytes = bytesOf(payload);
  const end = 2 + (bytes[1] ?? 0);
  return { version: bytes[0], tenantId: bytes.toString('utf8', 2, end), keyId: bytes.toString('hex', end, end + 4), mark: bytes.toString('hex', end + 4, end + 12) };
};
const historyKeysOf = async (tenant: string) =>
  (await aws.table.send(new GetCommand({ TableName: platformResources.registryTable, Key: { tenantId: tenant }, ConsistentRead: true }))).Item?.['historyKeys'] as { id: string }[] | undefined;

it("encrypts what a session's history holds under the tenant's key, and names tenant and data key", async () => {
  const [sealed] = await freshCodec().encode([payloadOf(secret)], session);
  expect(textOf(sealed)).not.toContain('canary');
  expect(metadataOf(sealed)).toEqual({ encoding: 'binary/encrypted' });
  expect(partsOf(sealed)).toMatchObject({ version: 2, tenantId, keyId: (await historyKeysOf(tenantId))?.[0]?.id });
  const activity = { type: 'activity', namespace: 'default', workflowId: session.workflowId, activityId: '7', isLocal: false } as const;
  for (const context of [session, activity, undefined]) expect(valueOf((await freshCodec().decode([sealed as Payload], context))[0])).toEqual(secret);
});

it.each([
  ['an operation', (tenant: string) => workflowIds.operation(newOperationId(tenant))],
  ['maintenance of a tenant', (tenant: string) => `${tenant}/maintenance/stale_sessions`],
])('encrypts %s under the platform\'s key, before and after the tenant has one', async (_name, idOf) => {
  const nobody = newTenantId();
  const [sealed] = await freshCodec().encode([payloadOf(secret)], workflow(idOf(nobody)));
  expect(metadataOf(sealed)).toMatchObject({ 'encryption-key-id': 'alias/tenure-history-key', tenant: nobody });
  expect(valueOf((await freshCodec().decode([sealed as Payload]))[0])).toEqual(secret);
});

it('encrypts what it does not know the workflow of, as the memo of a schedule, under the platform\'s key', async () => {
  const [sealed] = await freshCodec().encode([payloadOf(secret)]);
  expect(textOf(sealed)).not.toContain('canary');
  expect(metadataOf(sealed)).toMatchObject({ 'encryption-key-id': 'alias/tenure-history-key', tenant: 'platform', 'workflow-id': '' });
  expect(valueOf((await freshCodec().decode([sealed as Payload], session))[0])).toEqual(secret);
});

it('reads what was written before there was a codec', async () => {
  const plain = payloadOf(secret);
  expect(await freshCodec().decode([plain], session)).toEqual([plain]);
});

it("refuses a payload of another session's, wherever its labels say it belongs", async () => {
  const codec = freshCodec();
  const [sealed] = await codec.encode([payloadOf(secret)], session);
  const other = workflow(workflowIds.session(tenantId, 'ses-2'));
  await expect(codec.decode([sealed as Payload], other)).rejects.toThrow(/is in the history of/);
  const replaced = (from: string, to: string): Payload => ({ ...sealed, data: Buffer.from(bytesOf(sealed).toString('hex').replace(from, to), 'hex') });
  const [theirs] = await codec.encode([payloadOf(secret)], other);
  // The mark of the other session on it, as somebody who writes to Temporal's database would put it.
  await expect(codec.decode([replaced(partsOf(sealed).mark, partsOf(theirs).mark)], other)).rejects.toMatchObject({ code: 'payload/unreadable' });
  const intruder = await standingTenant();
  const moved = workflow(workflowIds.session(intruder.tenantId, 'ses-1'));
  const hex = (text: string) => Buffer.from(text).toString('hex');
  await expect(codec.decode([replaced(hex(tenantId), hex(intruder.tenantId))], moved)).rejects.toThrow();
  const [own] = await codec.encode([payloadOf(secret)], moved);
  await expect(codec.decode([sealed as Payload], moved)).rejects.toThrow(/is in the history of/);
  await expect(codec.decode([replaced(partsOf(sealed).keyId, partsOf(own).keyId)], session)).rejects.toMatchObject({ code: 'key/unavailable' });
});

it('notices every changed or missing byte', async () => {
  const codec = freshCodec();
  const [sealed] = await codec.encode([payloadOf({ after: 7 })], session);
  const data = bytesOf(sealed);
  for (let index = 0; index < data.length; index += 1) {
    const changed = { ...sealed, data: Uint8Array.from(data, (byte, at) => (at === index ? byte ^ 1 : byte)) };
    await expect(codec.decode([changed], session)).rejects.toThrow();
  }
  for (const length of [0, 1, 2, 20, data.length - 1]) await expect(codec.decode([{ ...sealed, data: data.subarray(0, length) }], session)).rejects.toThrow();
});

it('notices that its header was changed, even to the name of the same data key', async () => {
  const tenant = await standingTenant();
  const its = workflow(workflowIds.session(tenant.tenantId, 'ses-1'));
  const [sealed] = await freshCodec().encode([payloadOf(secret)], its);
  const keys = await historyKeysOf(tenant.tenantId);
  // As somebody would who writes to the registry and to Temporal's database: nothing of what follows depends on the id but the tag.
  const twice = [...(keys ?? []), { ...keys?.[0], id: 'ffffffff' }];
  await aws.table.send(new UpdateCommand({ TableName: platformResources.registryTable, Key: { tenantId: tenant.tenantId }, UpdateExpression: 'SET historyKeys = :twice', ExpressionAttributeValues: { ':twice': twice } }));
  const renamed = { ...sealed, data: Buffer.from(bytesOf(sealed).toString('hex').replace(partsOf(sealed).keyId, 'ffffffff'), 'hex') };
  expect(partsOf(renamed).keyId).toBe('ffffffff');
  await expect(freshCodec().decode([renamed], its)).rejects.toThrow('A payload was changed');
  expect((await freshCodec().decode([sealed as Payload], its)).map(valueOf)).toEqual([secret]);
});

/** As releases before wrote them: everything in metadata, a wrapped data key in each. */
async function versionOne(value: unknown, workflowId: string): Promise<Payload> {
  const { fields } = encryptedPayload;
  const data = await cipher.seal(tenantId, { purpose: 'history', workflow: workflowId }, temporal.api.common.v1.Payload.encode(payloadOf(value)).finish());
  const names = { [fields.encoding]: 'binary/encrypted', [fields.version]: '1', [fields.keyName]: `alias/tenant-${tenantId}-key`, [fields.tenantId]: tenantId, [fields.workflowId]: workflowId };
  return { metadata: Object.fromEntries(Object.entries(names).map(([name, text]) => [name, Buffer.from(text)])), data };
}

it('reads what was encrypted in version 1, in its own workflow only', async () => {
  const old = await versionOne(secret, session.workflowId);
  for (const context of [session, undefined]) expect((await freshCodec().decode([old], context)).map(valueOf)).toEqual([secret]);
  await expect(freshCodec().decode([old], workflow(workflowIds.session(tenantId, 'ses-2')))).rejects.toThrow(/is in the history of/);
});

it('says which versions it reads', async () => {
  const [sealed] = await freshCodec().encode([payloadOf(secret)], session);
  const later = { ...sealed, data: Uint8Array.from(bytesOf(sealed), (byte, at) => (at === 0 ? 3 : byte)) };
  await expect(freshCodec().decode([later], session)).rejects.toMatchObject({ code: 'payload/unreadable', message: expect.stringContaining('version 3') as string });
});

it('comes back as it was, whatever it is', async () => {
  const text = 'x'.repeat(40_000);
  const values = [secret, null, '', 'step 1', 7, [], { text }, { text: Array.from({ length: 900 }, (_value, index) => index * 7919).join() }, new Uint8Array([1, 2, 3])];
  const payloads = [...values.map(payloadOf), { ...payloadOf(secret), metadata: { ...payloadOf(secret).metadata, more: Buffer.from('x') } }];
  const read = await freshCodec().decode(await freshCodec().encode(payloads, session), session);
  expect(read.map((payload) => [metadataOf(payload), bytesOf(payload)])).toEqual(payloads.map((payload) => [metadataOf(payload), bytesOf(payload)]));
});

/** Guarantees what a turn leaves in Temporal: bare Temporal's bytes are the measure, see docs/performance.md. */
it('makes the payloads of a session no larger than they are', async () => {
  const payloads: Payload[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { metadata, data } = value as { metadata?: Record<string, string>; data?: string };
    if (metadata && data !== undefined && !('type' in metadata)) payloads.push({ metadata: { encoding: Buffer.from(metadata['encoding'] ?? '', 'base64') }, data: Buffer.from(data, 'base64') });
    else Object.values(value).forEach(collect);
  };
  collect(JSON.parse(await readFile(path.join(__dirname, '../../replay/histories/session-tools-closed.json'), 'utf8')));
  const sealed = await freshCodec().encode(payloads, session);
  const bytes = (all: Payload[]) => all.reduce((sum, payload) => sum + temporal.api.common.v1.Payload.encode(payload).finish().length, 0);
  expect(payloads.length).toBeGreaterThan(30);
  // The tenants of tests have ids of 14 characters.
  expect(bytes(sealed) / bytes(payloads)).toBeLessThan(1.1);
});

it('makes one data key however many processes begin at once, and another once the key is rotated', async () => {
  const tenant = await standingTenant();
  const its = workflow(workflowIds.session(tenant.tenantId, 'ses-1'));
  const sealed = await Promise.all(Array.from({ length: 5 }, () => freshCodec().encode([payloadOf(secret)], its)));
  expect(new Set(sealed.map(([payload]) => partsOf(payload).keyId)).size).toBe(1);
  const running = freshCodec();
  await running.encode([payloadOf(secret)], its);
  await registry.update(tenant.tenantId, { keyGeneration: 'another' });
  await until(async () => partsOf((await running.encode([payloadOf(secret)], its))[0]).keyId !== partsOf(sealed[0]?.[0]).keyId);
  const [after] = await freshCodec().encode([payloadOf(secret)], its);
  expect((await historyKeysOf(tenant.tenantId))?.map(({ id }) => id)).toEqual([partsOf(sealed[0]?.[0]).keyId, partsOf(after).keyId]);
  for (const payload of [sealed[0]?.[0], after]) expect(valueOf((await freshCodec().decode([payload as Payload], its))[0])).toEqual(secret);
});

it('leaves no data key of a tenant that is gone, and says so to who reads', async () => {
  const tenant = await standingTenant();
  const its = workflow(workflowIds.session(tenant.tenantId, 'ses-1'));
  const sealed = await freshCodec().encode([payloadOf(secret)], its);
  const operationId = newOperationId(tenant.tenantId);
  await registry.transition({ tenantId: tenant.tenantId, from: ['active'], to: 'offboarding', operationId });
  await registry.bury({ tenantId: tenant.tenantId, operationId, tombstone: { deletedAt: new Date().toISOString() } });
  expect(await historyKeysOf(tenant.tenantId)).toBeUndefined();
  await until(async () => ['tenant/not-found', 'key/unavailable'].includes((await freshCodec().decode(sealed, its).then(() => undefined, codeOf)) ?? ''));
});

it('takes a run of a schedule for what the schedule was made for', async () => {
  const scheduled = workflow(`${tenantId}/maintenance/stale_sessions`);
  const codec = freshCodec();
  const sealed = await codec.encode([payloadOf(secret)], scheduled);
  expect((await codec.decode(sealed, workflow(`${scheduled.workflowId}-2026-11-24T04:00:00Z`))).map(valueOf)).toEqual([secret]);
});

it('keeps the words of failures encrypted, and their codes in the open', async () => {
  const converter = loadDataConverter(freshDataConverter());
  const cause = ApplicationFailure.nonRetryable('the canary of the cause', 'tool/failed', { detail: 'the canary of the details' });
  const failure = ApplicationFailure.create({ message: 'the canary of the failure', type: 'turn/failed', cause });
  const proto = await encodeErrorToFailure(converter, failure, session);
  expect(JSON.stringify(proto)).not.toContain('canary');
  expect([proto.applicationFailureInfo?.type, proto.cause?.applicationFailureInfo?.type]).toEqual(['turn/failed', 'tool/failed']);
  const read = await decodeOptionalFailureToOptionalError(converter, proto, session);
  expect(read).toMatchObject({ message: 'the canary of the failure', type: 'turn/failed', cause: { message: 'the canary of the cause', details: [{ detail: 'the canary of the details' }] } });
  // A failure that was read is written again when it ends the workflow, and once more to whoever waits for it.
  for (let written = 0; written < 2; written += 1) {
    const again = await encodeErrorToFailure(converter, read, session);
    expect(JSON.stringify(again)).not.toContain('canary');
    expect(await decodeOptionalFailureToOptionalError(converter, again, session)).toMatchObject({ message: 'the canary of the failure', cause: { message: 'the canary of the cause' } });
  }
});

describe('while the key is disabled', () => {
  let sealed: Payload[];
  beforeAll(async () => {
    sealed = await freshCodec().encode([payloadOf(secret)], session);
    await aws.kms.send(new DisableKeyCommand({ KeyId: keyArn }));
  });
  afterAll(() => aws.kms.send(new EnableKeyCommand({ KeyId: keyArn })));

  it('says so, whoever reads or writes', async () => {
    const refusals = await Promise.all([freshCodec().decode(sealed, session), freshCodec().encode([payloadOf(secret)], session)].map((call) => call.then(() => undefined, codeOf)));
    expect(refusals).toEqual(['key/unavailable', 'key/unavailable']);
  });

  it('forgets what it has in memory within five minutes', async () => {
    await aws.kms.send(new EnableKeyCommand({ KeyId: keyArn }));
    const running = freshCodec();
    await running.decode(sealed, session);
    await aws.kms.send(new DisableKeyCommand({ KeyId: keyArn }));
    expect((await running.decode(sealed, session)).map(valueOf)).toEqual([secret]);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 5 * 60_000);
    try {
      const refusalOf = (call: Promise<unknown>) => call.then(() => undefined, codeOf);
      // The caches look at the clock once a millisecond.
      await until(async () => (await refusalOf(running.decode(sealed, session))) === 'key/unavailable');
      expect(await refusalOf(running.encode([payloadOf(secret)], session))).toBe('key/unavailable');
    } finally {
      clock.mockRestore();
    }
  });

  it('lets failures go without their words: a worker that can tell of none would end', async () => {
    const converter = loadDataConverter(freshDataConverter());
    const proto = await encodeErrorToFailure(converter, ApplicationFailure.create({ message: 'the canary', type: 'turn/failed' }), session);
    expect(JSON.stringify(proto)).not.toContain('canary');
    expect(await decodeOptionalFailureToOptionalError(converter, proto, session)).toMatchObject({ type: 'turn/failed', message: expect.stringContaining('The encryption key is disabled') as string });
  });

  it('lets heartbeats without details go: they say nothing', async () => {
    const beat = payloadOf(undefined);
    expect(await freshCodec().encode([beat], session)).toEqual([beat]);
  });
});

it('asks KMS once for many payloads', async () => {
  const codec = freshCodec();
  const sent: string[] = [];
  const { kms } = access.clients(tenantId, 'encryption');
  kms.middlewareStack.add((next, context) => (args) => { sent.push(String(context.commandName)); return next(args); }, { step: 'initialize', name: 'counting' });
  try {
    const payloads = Array.from({ length: 50 }, (_value, index) => payloadOf({ index }));
    const sealed = await codec.encode(payloads, session);
    await codec.encode(payloads, workflow(workflowIds.session(tenantId, 'ses-2')));
    await codec.decode(sealed, session);
    expect(sent).toEqual(['DecryptCommand']);
    await freshCodec().decode(sealed, session);
    expect(sent).toEqual(['DecryptCommand', 'DecryptCommand']);
  } finally {
    kms.middlewareStack.remove('counting');
  }
});
