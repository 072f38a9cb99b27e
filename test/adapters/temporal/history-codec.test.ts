import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { ApplicationFailure, defaultPayloadConverter, type Payload, toPayloads } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError, encodeErrorToFailure, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow';
import { createPlatformCipher, createTenantCipher } from '../../../src/adapters/aws/tenant-cipher';
import { createDataConverter } from '../../../src/adapters/temporal/history-codec';
import { codeOf } from '../../../src/contracts/errors';
import { platformResources, workflowIds } from '../../../src/contracts/names';
import { access, aws, directory, newOperationId, newTenantId, standingPlatform, standingTenant } from '../aws/tenants';

/** With caches of its own, as a process that has just started. */
const freshConverter = () =>
  createDataConverter({
    tenant: createTenantCipher({ access, directory }),
    platform: createPlatformCipher({ kms: aws.kms, keyAlias: platformResources.historyKeyAlias }),
  });
const freshCodec = () => freshConverter().payloadCodecs[0];

const secret = { text: 'the canary sings' };
const payloadOf = (value: unknown): Payload => toPayloads(defaultPayloadConverter, value)?.[0] as Payload;
const workflow = (workflowId: string) => ({ type: 'workflow', namespace: 'default', workflowId }) as const;
const textOf = (payload: Payload | undefined) => JSON.stringify({ data: Buffer.from(payload?.data ?? []).toString('latin1'), metadata: metadataOf(payload) });
const metadataOf = (payload: Payload | undefined) =>
  Object.fromEntries(Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]));
const valueOf = (payload: Payload | undefined): unknown => payload && defaultPayloadConverter.fromPayload(payload);

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

it("encrypts what a session's history holds under the tenant's key, and says by which", async () => {
  const [sealed] = await freshCodec().encode([payloadOf(secret)], session);
  expect(textOf(sealed)).not.toContain('canary');
  expect(metadataOf(sealed)).toEqual({
    encoding: 'binary/encrypted',
    'encryption-version': '1',
    'encryption-key-id': `alias/tenant-${tenantId}-key`,
    tenant: tenantId,
    'workflow-id': session.workflowId,
  });
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
  const relabelled = { ...sealed, metadata: { ...sealed?.metadata, 'workflow-id': Buffer.from(other.workflowId) } };
  await expect(codec.decode([relabelled], other)).rejects.toThrow();
  const intruder = await standingTenant();
  const moved = workflow(workflowIds.session(intruder.tenantId, 'ses-1'));
  await expect(codec.decode([{ ...sealed, metadata: { ...sealed?.metadata, tenant: Buffer.from(intruder.tenantId), 'workflow-id': Buffer.from(moved.workflowId) } }], moved)).rejects.toThrow();
});

it('takes a run of a schedule for what the schedule was made for', async () => {
  const scheduled = workflow(`${tenantId}/maintenance/stale_sessions`);
  const codec = freshCodec();
  const sealed = await codec.encode([payloadOf(secret)], scheduled);
  expect((await codec.decode(sealed, workflow(`${scheduled.workflowId}-2026-11-24T04:00:00Z`))).map(valueOf)).toEqual([secret]);
});

it('keeps the words of failures encrypted, and their codes in the open', async () => {
  const converter = loadDataConverter(freshConverter());
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

  it('lets failures go without their words: a worker that can tell of none would end', async () => {
    const converter = loadDataConverter(freshConverter());
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
  const { kms } = access.clients(tenantId);
  kms.middlewareStack.add((next, context) => (args) => { sent.push(String(context.commandName)); return next(args); }, { step: 'initialize', name: 'counting' });
  try {
    const payloads = Array.from({ length: 50 }, (_value, index) => payloadOf({ index }));
    const sealed = await codec.encode(payloads, session);
    await codec.encode(payloads, workflow(workflowIds.session(tenantId, 'ses-2')));
    await codec.decode(sealed, session);
    expect(sent).toEqual(['GenerateDataKeyCommand']);
    await freshCodec().decode(sealed, session);
    expect(sent).toEqual(['GenerateDataKeyCommand', 'DecryptCommand']);
  } finally {
    kms.middlewareStack.remove('counting');
  }
});
