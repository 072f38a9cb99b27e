import { GetObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ulid } from 'ulid';
import { createDrillActivities } from '../../src/activities/maintenance/drill';
import { createExpiryActivities } from '../../src/activities/maintenance/expiry';
import { callerAccount } from '../../src/adapters/aws/tenant-access';
import type { BackupSummary } from '../../src/contracts/backup';
import { newId } from '../../src/contracts/ids';
import type { Finding, MaintenanceView } from '../../src/contracts/maintenance';
import { objectKeys, operationIds, platformResources, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { aws, newTenantId, waiting } from '../adapters/aws/tenants';
import { type Account, newTenant, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let operator: Account;
let stopWorkers: () => Promise<void>;
beforeAll(async () => {
  [api, operator] = await Promise.all([startApi(), signUpOperator()]);
  stopWorkers = await startWorkers(api.adapters, []);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

/** Runs the tenant's nightly backup now, as an operator would. */
async function backUpNow(tenantId: string): Promise<unknown> {
  const { status, body } = await api.send<MaintenanceView>('/api/v1/maintenance/backup/run', { method: 'POST', token: operator.accessToken, body: { reason: 'a test', tenantId } });
  expect(status).toBe(202);
  return api.adapters.temporalClient.workflow.getHandle(body.lastRun?.workflowId ?? '').result();
}

async function putPart(tenantId: string, backupId: string): Promise<void> {
  await aws.s3.send(new PutObjectCommand({ Bucket: await backupBucket(), Key: objectKeys.backup(tenantId, backupId, 'table-000001.jsonl.gz'), Body: 'half' }));
}
const backupBucket = async () => platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
const versionsOf = async (prefix: string): Promise<number> =>
  (await aws.s3.send(new ListObjectVersionsCommand({ Bucket: await backupBucket(), Prefix: prefix }))).Versions?.length ?? 0;

it('takes a verified backup by an operation anybody can look up, and deletes what the rule does not keep', async () => {
  const { tenantId } = await newTenant();
  await api.adapters.schedules.ensure(tenantId);
  const abandoned = `bak-${ulid(Date.now() - 8 * 86_400_000).toLowerCase()}`;
  await putPart(tenantId, abandoned);
  const result = (await backUpNow(tenantId)) as { operationId: string; backupId: string };
  expect(result).toMatchObject({ deleted: [abandoned] });
  expect(await versionsOf(objectKeys.backup(tenantId, abandoned, ''))).toBe(0);
  const { body: operation } = await api.send<Operation>(`/api/v1/operations/${result.operationId}`, { token: operator.accessToken });
  expect(operation).toMatchObject({ kind: 'backup', tenantId, state: 'completed', backupId: result.backupId });
  const { body: page } = await api.send<{ data: BackupSummary[] }>(`/api/v1/tenants/${tenantId}/backups`, { token: operator.accessToken });
  expect(page.data).toMatchObject([{ backupId: result.backupId, reason: 'scheduled', verification: { verifiedBy: result.operationId } }]);
  expect(await api.adapters.registry.get(tenantId)).not.toHaveProperty('claimedBy');
});

it('leaves a suspended tenant out', async () => {
  const { tenantId } = await newTenant();
  await api.adapters.schedules.ensure(tenantId);
  await api.adapters.registry.transition({ tenantId, from: ['active'], to: 'suspended', operationId: operationIds.of('suspension', tenantId, newId('operation')) });
  expect(await backUpNow(tenantId)).toEqual({ leftOut: 'it is suspended, and does not change' });
  expect(await api.adapters.backups.list(tenantId)).toEqual([]);
});

describe('expiry', () => {
  const check = (tenantId: string): Promise<Finding[]> => createExpiryActivities(api.adapters).checkExpiry({ tenantId });
  const in91Days = <T>(act: () => Promise<T>): Promise<T> => {
    const date = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 91 * 86_400_000);
    return act().finally(() => date.mockRestore());
  };

  it('is looked for at every tenant, and at who left nothing but backups', async () => {
    const [{ tenantId }, ghost] = [await newTenant(), newTenantId()];
    await putPart(ghost, newId('backup'));
    const ids: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page: { tenantIds: readonly string[]; nextCursor?: string | undefined } = await createExpiryActivities(api.adapters).listBackupOwners({ cursor });
      ids.push(...page.tenantIds);
      cursor = page.nextCursor;
    }
    expect(ids).toEqual(expect.arrayContaining([tenantId, ghost]));
    expect(ids).not.toContain('reports');
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each<[string, (manifest: string) => string]>([
    ['was changed', (manifest) => manifest.replace('on-demand', 'scheduled')],
    ['was cut short', (manifest) => manifest.slice(0, 50)],
  ])('a backup whose manifest %s hides none of the others: it is reported, kept, drilled with by nobody, and deleted by hand', async (_what, change) => {
    const { tenantId } = await newTenant();
    const [good, bad] = [newId('backup'), newId('backup')];
    const { backups } = api.adapters;
    for (const backupId of [good, bad]) {
      await backups.take(tenantId, backupId, 'on-demand', waiting);
      await backups.verify(tenantId, backupId, { operationId: 'backup_x', againstTenant: false }, waiting);
    }
    const place = { Bucket: await backupBucket(), Key: objectKeys.backup(tenantId, bad, 'manifest.json') };
    const { Body } = await aws.s3.send(new GetObjectCommand(place));
    await aws.s3.send(new PutObjectCommand({ ...place, Body: change((await Body?.transformToString()) ?? '') }));

    expect((await backups.list(tenantId)).map(({ backupId }) => backupId)).toEqual([good]);
    expect(await in91Days(() => backups.prune(tenantId))).toEqual([]);
    expect(await check(tenantId)).toMatchObject([{ kind: 'backup/damaged', tenantId, subject: bad, repair: 'none' }]);
    expect(await createDrillActivities(api.adapters).chooseForDrill({ perNight: 1, tenantIds: [tenantId], at: new Date().toISOString() })).toMatchObject([{ backupId: good }]);
    expect((await backups.kept(tenantId)).map(({ state }) => state).sort()).toEqual(['complete', 'damaged']);
    const path = `/api/v1/tenants/${tenantId}/backups/${bad}`;
    expect(await api.send(path, { token: operator.accessToken })).toMatchObject({ status: 502, body: { code: 'backup/incomplete' } });
    expect((await api.send(path, { method: 'DELETE', token: operator.accessToken })).status).toBe(204);
    expect(await versionsOf(objectKeys.backup(tenantId, bad, ''))).toBe(0);
  });

  it('never takes the last verified backup of a living tenant, however old, and says that it is', async () => {
    const { tenantId } = await newTenant();
    const backupId = newId('backup');
    await api.adapters.backups.take(tenantId, backupId, 'farewell', waiting);
    await api.adapters.backups.verify(tenantId, backupId, { operationId: 'offboarding_x', againstTenant: false }, waiting);
    expect(await check(tenantId)).toEqual([]);
    expect(await in91Days(() => check(tenantId))).toMatchObject([{ kind: 'backup/overdue', tenantId, subject: backupId, repair: 'none' }]);
    expect(await api.adapters.backups.list(tenantId)).toHaveLength(1);
  });

  it('deletes nothing of a tenant that is gone without a certificate, and says so', async () => {
    const { tenantId } = await newTenant();
    const backupId = newId('backup');
    await api.adapters.backups.take(tenantId, backupId, 'farewell', waiting);
    const operationId = operationIds.of('offboarding', tenantId, newId('operation'));
    await api.adapters.registry.transition({ tenantId, from: ['active'], to: 'offboarding', operationId });
    expect(await check(tenantId)).toEqual([]);
    await api.adapters.registry.bury({ tenantId, operationId, tombstone: { deletedAt: new Date().toISOString() } });
    expect(await in91Days(() => check(tenantId))).toMatchObject([{ kind: 'certificate/missing', tenantId, repair: 'none' }]);
    expect(await api.adapters.backups.list(tenantId)).toHaveLength(1);
  });

  it('deletes the farewell of a tenant that provably left once its time is over, and says so', async () => {
    const { tenantId } = await newTenant();
    const accepted = await api.send<Operation>(`/api/v1/tenants/${tenantId}?graceSeconds=0&drainPolicy=stop`, { method: 'DELETE', token: operator.accessToken });
    await api.adapters.temporalClient.workflow.getHandle(workflowIds.operation(accepted.body.operationId)).result();
    const [farewell] = await api.adapters.backups.list(tenantId);
    expect(await check(tenantId)).toEqual([]);
    expect(await in91Days(() => check(tenantId))).toMatchObject([{ kind: 'backup/expired', tenantId, subject: farewell?.backupId, repair: 'done' }]);
    expect(await versionsOf(objectKeys.backupsOf(tenantId))).toBe(0);
  });
});
