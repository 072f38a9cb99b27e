import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateLogGroupCommand, DeleteLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeKeyCommand, DisableKeyCommand, EnableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { createCertificateActivities } from '../../src/activities/lifecycle/certificate';
import { verifyCertificate } from '../../src/adapters/certificate-signature';
import { callerAccount } from '../../src/adapters/aws/tenant-access';
import type { BackupEvidence, PurgeRecord, SignedCertificate } from '../../src/contracts/certificate';
import type { PublicKey } from '../../src/contracts/public-key';
import { groups, objectKeys, platformResources, scheduleIds, searchAttributes, taskQueues, tenantResources, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { ServedTenant, TenantRecord } from '../../src/contracts/tenant';
import { sessionWorkflow } from '../../src/workflows/definitions';
import { aws, waiting } from '../adapters/aws/tenants';
import { offboardingRequest } from '../workflows/lifecycle-script';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type ApiRequest, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let operator: Account;
/** The one tenant whose sessions a worker serves. */
let served: ServedTenant;

beforeAll(async () => {
  [api, operator, served] = await Promise.all([startApi(), signUpOperator(), newTenant()]);
  stopWorkers = await startWorkers(api.adapters, [served.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const asOperator = (request: ApiRequest = {}): ApiRequest => ({ token: operator.accessToken, ...request });
const certificateOf = (tenantId: string) => api.send<SignedCertificate>(`/api/v1/tenants/${tenantId}/certificate`, asOperator());

async function offboard(tenantId: string, query = ''): Promise<string> {
  const request = asOperator({ method: 'DELETE', headers: { 'idempotency-key': randomUUID() } });
  const { body } = await api.send<Operation>(`/api/v1/tenants/${tenantId}?graceSeconds=0&drainPolicy=stop${query}`, request);
  return body.operationId;
}

/** Looks until the operation is as wanted. */
async function operationWhen(operationId: string, isSo: (operation: Operation) => boolean): Promise<Operation> {
  for (;;) {
    const { body } = await api.send<Operation>(`/api/v1/operations/${operationId}`, asOperator());
    if (isSo(body)) return body;
    await delay(100);
  }
}
const ended = (operationId: string) => operationWhen(operationId, ({ finishedAt }) => finishedAt !== undefined);
const failingAt = (name: string) => (operation: Operation) => operation.steps.some((step) => step.name === name && step.error !== undefined);
const retry = (operationId: string) => api.send(`/api/v1/operations/${operationId}/retry`, asOperator({ method: 'POST' }));

async function versionsOfCertificate(tenantId: string, operationId: string): Promise<number> {
  const { accountId } = await callerAccount(aws.sts);
  const Prefix = objectKeys.certificate(tenantId, operationId, 'certificate.json');
  return (await aws.s3.send(new ListObjectVersionsCommand({ Bucket: platformResources.backupBucket(accountId), Prefix }))).Versions?.length ?? 0;
}

async function putPart(tenantId: string, backupId: string): Promise<void> {
  const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
  await aws.s3.send(new PutObjectCommand({ Bucket, Key: objectKeys.backup(tenantId, backupId, 'table-000001.jsonl.gz'), Body: 'half' }));
}

function backupIn({ certificate: { backup } }: SignedCertificate): BackupEvidence {
  if ('outcome' in backup) throw new Error(backup.reason);
  return backup;
}

describe('a tenant that has left', () => {
  let tenantId: string;
  let operation: Operation;
  let signed: SignedCertificate;
  let key: PublicKey;
  const dayMs = 86_400_000;
  const abandoned = `bak-${ulid(Date.now() - dayMs).toLowerCase()}`;

  beforeAll(async () => {
    const tenant = await newTenant();
    ({ tenantId } = tenant);
    const { accessToken: token } = await signUp(tenant, [groups.administrators]);
    for (const what of ['machine-clients', 'api-keys']) await api.send(`/api/v1/tenants/${tenantId}/${what}`, { method: 'POST', token, body: { name: 'service', permissions: ['read:session'] } });
    await api.adapters.schedules.ensure(tenantId);
    await api.adapters.backups.take(tenantId, 'bak-nightly', 'scheduled', waiting);
    await putPart(tenantId, abandoned);
    operation = await ended(await offboard(tenantId));
    expect(operation).toMatchObject({ state: 'completed' });
    signed = (await certificateOf(tenantId)).body;
    key = (await api.send<{ jwk: PublicKey }>('/api/v1/certificates/key')).body.jwk;
  });

  it('has a certificate that anybody can verify with the published key', async () => {
    expect(await verifyCertificate(signed, key)).toMatchObject({ isValid: true });
    expect(await verifyCertificate(signed)).toMatchObject({ isValid: true });
  });

  it('has in it who asked, every thing there was, and how each was found to be absent', () => {
    const { certificate } = signed;
    const names = tenantResources(tenantId);
    expect(certificate).toMatchObject({ tenantId, operationId: operation.operationId, asked: { graceSeconds: 0, drain: { policy: 'stop' }, rehearsal: 'required' } });
    expect(certificate.requestedBy).not.toBe('');
    const things = certificate.resources.map(({ name }) => name);
    expect(things).toEqual(expect.arrayContaining([names.stack, names.bucket, names.table, names.role, names.userPool, names.logGroup, names.keyAlias, scheduleIds.of(tenantId, 'backup')]));
    const kept = certificate.resources.filter(({ outcome }) => outcome === 'kept');
    expect(kept.map(({ type }) => type).sort()).toEqual(['entries', 'key', 'tenant']);
    for (const { call, checkedAt } of certificate.resources) expect([call !== '', checkedAt <= certificate.issuedAt]).toEqual([true, true]);
    expect(certificate.checks.filter(({ after }) => after > 0).map(({ type }) => type).sort()).toEqual(['entries', 'key', 'tenant']);
    expect(certificate.checks.find(({ type }) => type === 'incomplete-uploads')).toMatchObject({ before: 0, after: 0, call: 'ListMultipartUploads' });
  });

  it('has left no program with a credential: neither in Cognito, nor where they are registered', () => {
    const countsOf = (service: string, type: string) => {
      const { before, after } = signed.certificate.checks.find((check) => check.service === service && check.type === type) ?? {};
      return { before, after };
    };
    // The other one is that of the tenant's users.
    expect(countsOf('cognito', 'user-pool-client')).toEqual({ before: 2, after: 0 });
    expect(countsOf('access', 'machine-client')).toEqual({ before: 1, after: 0 });
    expect(countsOf('access', 'api-key')).toEqual({ before: 1, after: 0 });
  });

  it('has in it the key, the backup, and that it was restored on trial', () => {
    const { keys, rehearsal, kept } = signed.certificate;
    const backup = backupIn(signed);
    expect(Date.parse(keys[0]?.deletionDate ?? '')).toBeGreaterThan(Date.now());
    expect(backup).toMatchObject({ backupId: operation.backupId, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(Date.parse(backup.expiresAt ?? '')).toBeGreaterThan(Date.now());
    if (rehearsal.outcome !== 'passed') throw new Error(rehearsal.reason);
    expect(rehearsal.compared.every(({ records, found, hashesAgree }) => records === found && hashesAgree)).toBe(true);
    expect(kept.map(({ what }) => what).join()).toContain(backup.location.replace('manifest.json', ''));
  });

  it('names every backup that is kept, with its end', () => {
    const { kept } = signed.certificate;
    const { backupId, location, takenAt } = backupIn(signed);
    const endOf = (id: string) => kept.filter(({ what }) => what.includes(id)).map(({ until }) => until);
    // All go with the last one.
    const end = new Date(Date.parse(takenAt) + 90 * dayMs).toISOString();
    expect([endOf(backupId), endOf('bak-nightly')]).toEqual([[end], [end]]);
    expect(location).toContain(backupId);
    const [abandonedEnd = ''] = endOf(abandoned);
    expect(Math.abs(Date.parse(abandonedEnd) - Date.now() - 6 * dayMs)).toBeLessThan(dayMs / 24);
    expect(kept.find(({ what }) => what.includes('bak-nightly'))?.what).toContain(`/${tenantId}/bak-nightly/`);
  });

  it('cannot be verified once a single character of it is another', async () => {
    const text = JSON.stringify(signed);
    const places = Array.from({ length: 60 }, (_, index) => Math.floor((index * text.length) / 60));
    for (const place of places) {
      const changed = text.slice(0, place) + (text[place] === '7' ? '8' : '7') + text.slice(place + 1);
      const document = parsed(changed);
      if (document !== undefined) expect([place, (await verifyCertificate(document, key)).isValid]).toEqual([place, false]);
    }
    expect(await verifyCertificate({ ...signed, certificate: { ...signed.certificate, note: 'and more' } }, key)).toMatchObject({ isValid: false });
    expect(await verifyCertificate(signed, { ...key, n: key.n.replace(/^./, (first) => (first === 'a' ? 'b' : 'a')) })).toMatchObject({ isValid: false });
  });

  it('has a page to print, which runs nothing and escapes what others wrote', async () => {
    const response = await fetch(`${api.url}/api/v1/tenants/${tenantId}/certificate`, { headers: { authorization: `Bearer ${operator.accessToken}`, accept: 'text/html' } });
    const html = await response.text();
    expect([response.status, response.headers.get('content-type'), response.headers.get('vary')]).toEqual([200, 'text/html; charset=utf-8', 'Accept']);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(html).toContain(backupIn(signed).sha256);
    expect(html).not.toMatch(/<script|undefined|\[object/);
  });

  it('is listed as deleted, and its id is kept until its key is gone, or somebody says why not', async () => {
    const list = await api.send<{ data: TenantRecord[] }>('/api/v1/tenants?status=deleted&limit=100', asOperator());
    expect(list.body.data.find((tenant) => tenant.tenantId === tenantId)?.tombstone?.keysDeletedAt).toBe(signed.certificate.keys[0]?.deletionDate);
    expect(list.body.data.every(({ status }) => status === 'deleted')).toBe(true);
    const purge = (query: string) => api.send<PurgeRecord & { code?: string }>(`/api/v1/tenants/${tenantId}/tombstone${query}`, asOperator({ method: 'DELETE' }));
    expect((await purge('')).body.code).toBe('tenant/id-kept');
    expect((await purge('?force=true')).body.code).toBe('request/inconsistent');
    expect(await purge('?force=true&reason=The+customer+comes+back+today')).toMatchObject({ status: 200, body: { tenantId, forcedBecause: 'The customer comes back today' } });
    expect((await purge('')).body.code).toBe('tenant/not-found');
    expect(await api.adapters.registry.get(tenantId)).toBeUndefined();
    expect((await certificateOf(tenantId)).status).toBe(200);
  });
});

describe('of a tenant whose key is lost', () => {
  const without = '&withoutBackup=true&reason=The+key+was+deleted+by+mistake';
  const refusalOf = async (tenantId: string, query: string) =>
    (await api.send(`/api/v1/tenants/${tenantId}?graceSeconds=0${query}`, asOperator({ method: 'DELETE', headers: { 'idempotency-key': randomUUID() } }))).body.code;

  it.each([
    ['Disabled', (KeyId: string) => aws.kms.send(new DisableKeyCommand({ KeyId }))],
    ['PendingDeletion', (KeyId: string) => aws.kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))],
  ])('%s: says that there is no backup and why, and what is left of earlier ones', async (keyState, lose) => {
    const { tenantId, infrastructure } = await newTenant();
    await api.adapters.backups.take(tenantId, 'bak-nightly', 'scheduled', waiting);
    expect(await refusalOf(tenantId, without)).toBe('backup/possible');
    await lose(infrastructure.keyArn);
    expect(await refusalOf(tenantId, '&withoutBackup=true')).toBe('request/inconsistent');
    const operation = await ended(await offboard(tenantId, without));
    expect(operation).toMatchObject({ state: 'completed' });
    expect(operation.steps.find(({ name }) => name === 'backup')?.state).toBe('skipped');
    const { certificate } = (await certificateOf(tenantId)).body;
    expect(certificate.backup).toMatchObject({ outcome: 'impossible', keyState, keyArn: infrastructure.keyArn, reason: 'The key was deleted by mistake' });
    expect(certificate.rehearsal).toEqual({ outcome: 'skipped', reason: 'There is no backup to restore.' });
    expect(certificate.kept.map(({ what }) => what).join()).toContain(`/${tenantId}/bak-nightly/`);
    expect(certificate.resources.filter(({ outcome }) => outcome === 'kept').map(({ type }) => type).sort()).toEqual(['entries', 'key', 'tenant']);
    const page = await fetch(`${api.url}/api/v1/tenants/${tenantId}/certificate`, { headers: { authorization: `Bearer ${operator.accessToken}`, accept: 'text/html' } });
    const html = await page.text();
    expect(html).toContain('The key was deleted by mistake');
    expect(html).not.toMatch(/undefined|\[object/);
  });
});

it('is issued when the histories of sessions are gone, and says so', async () => {
  const { tenantId } = served;
  const { temporalClient } = api.adapters;
  // It ends just before its history is to go.
  const session = { tenantId, sessionId: `ses-${randomUUID()}` };
  await temporalClient.workflow.start(sessionWorkflow, {
    workflowId: workflowIds.session(tenantId, session.sessionId),
    taskQueue: taskQueues.sessions,
    args: [{ ...session }],
    typedSearchAttributes: [{ key: defineSearchAttributeKey(searchAttributes.tenantId, SearchAttributeType.KEYWORD), value: tenantId }],
  });
  expect(await ended(await offboard(tenantId, '&skipRehearsal=true&deleteHistories=true'))).toMatchObject({ state: 'completed' });
  const { certificate } = (await certificateOf(tenantId)).body;
  expect(certificate.histories).toMatchObject({ listed: 0, held: 0 });
  const described = temporalClient.workflow.getHandle(workflowIds.session(tenantId, session.sessionId)).describe();
  await expect(described).rejects.toThrow('not found');
});

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

it('is not there for a tenant that is', async () => {
  const { tenantId } = await newTenant();
  expect((await api.send(`/api/v1/tenants/${tenantId}/certificate`, asOperator())).body.code).toBe('certificate/not-found');
  expect((await api.send(`/api/v1/tenants/${tenantId}/tombstone`, asOperator({ method: 'DELETE' }))).body.code).toBe('tenant/not-deleted');
});

it('is not issued while anything is left; once that is gone, it is, and once only', async () => {
  const { tenantId } = await newTenant();
  const { logGroup: logGroupName } = tenantResources(tenantId);
  const keyed = { KeyId: platformResources.certificateKeyAlias };
  const { jwk } = (await api.send<{ jwk: { kid: string } }>('/api/v1/certificates/key')).body;
  const keyId = await keyIdOf(keyed.KeyId);
  await aws.kms.send(new DisableKeyCommand({ KeyId: keyId }));
  const operationId = await offboard(tenantId, '&skipRehearsal=true');
  const refused = await operationWhen(operationId, failingAt('certificate'));
  expect(refused.state).toBe('running');
  // Somebody makes something anew, between the check and the certificate.
  await aws.logs.send(new CreateLogGroupCommand({ logGroupName }));
  await aws.kms.send(new EnableKeyCommand({ KeyId: keyId }));
  await retry(operationId);
  await operationWhen(operationId, ({ steps }) => steps.some(({ name, error }) => name === 'certificate' && error?.includes(logGroupName) === true));
  expect((await certificateOf(tenantId)).status).toBe(404);
  await aws.logs.send(new DeleteLogGroupCommand({ logGroupName }));
  await retry(operationId);
  const operation = await ended(operationId);
  const { certificate, key } = (await certificateOf(tenantId)).body;
  expect([key.kid, certificate.rehearsal]).toEqual([jwk.kid, { outcome: 'skipped', reason: 'The operator asked to skip it.' }]);

  // An attempt of a dead worker, and the one that took over, both come back to it.
  const activities = createCertificateActivities(api.adapters);
  const input = { tenantId, operationId, operation, request: { ...offboardingRequest, tenantId }, rehearsal: certificate.rehearsal };
  const again = () => new MockActivityEnvironment().run(() => activities.issueCertificate(input));
  await Promise.all([again(), again()]);
  expect((await certificateOf(tenantId)).body.certificate).toEqual(certificate);
  expect(await versionsOfCertificate(tenantId, operationId)).toBe(1);
});

const keyIdOf = async (alias: string): Promise<string> => {
  const { KeyMetadata } = await aws.kms.send(new DescribeKeyCommand({ KeyId: alias }));
  return KeyMetadata?.KeyId ?? '';
};

it('is not needed when the offboarding is called off in its grace period: users work again', async () => {
  const tenant = await newTenant();
  const { tenantId } = tenant;
  const user = await signUp(tenant, [groups.members]);
  const open = () => api.send(`/api/v1/tenants/${tenantId}/sessions`, { method: 'POST', token: user.accessToken, body: {} });
  const request = asOperator({ method: 'DELETE', headers: { 'idempotency-key': randomUUID() } });
  const { operationId } = (await api.send<Operation>(`/api/v1/tenants/${tenantId}?graceSeconds=3600&drainPolicy=stop&skipRehearsal=true`, request)).body;
  const waiting = await operationWhen(operationId, ({ cancellableUntil, finishedAt }) => cancellableUntil !== undefined || finishedAt !== undefined);
  for (let shown: TenantRecord | undefined; shown?.keepUntil === undefined; ) {
    shown = (await api.send<TenantRecord>(`/api/v1/tenants/${tenantId}`, asOperator())).body;
    expect([undefined, waiting.cancellableUntil]).toContain(shown.keepUntil);
  }
  // The API reads the registry anew within a second.
  for (let detail = ''; !detail.includes(waiting.cancellableUntil ?? '-'); ) {
    await delay(100);
    const { body } = await open();
    expect(body).toMatchObject({ status: 409, code: 'tenant/leaving' });
    detail = body.detail ?? '';
  }
  await api.send(`/api/v1/operations/${operationId}/cancel`, asOperator({ method: 'POST' }));
  expect(await ended(operationId)).toMatchObject({ state: 'cancelled' });
  for (let status = 409; status !== 201; ) {
    await delay(100);
    ({ status } = await open());
  }
  const kept = (await api.send<TenantRecord>(`/api/v1/tenants/${tenantId}`, asOperator())).body;
  expect([kept.status, kept.keepUntil]).toEqual(['active', undefined]);
});
