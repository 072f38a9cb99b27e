import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { newId } from '../../src/contracts/ids';
import type { MaintenanceReport } from '../../src/contracts/maintenance';
import { batchKeys, platformResources } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { callerAccount } from '../../src/adapters/aws/tenant-access';
import { aws, newSession, waiting } from '../adapters/aws/tenants';
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

/** A tenant with a session of some events. */
async function talkativeTenant(): Promise<{ tenant: ServedTenant; talk: () => Promise<unknown> }> {
  const tenant = await newTenant();
  const session = newSession(tenant.tenantId);
  await api.adapters.sessions.create({ ...session, userId: 'ann', createdAt: new Date().toISOString() });
  const talk = () => {
    const turnId = newId('turn');
    return api.adapters.log.append(session, { after: 0, key: batchKeys.stepCompleted(turnId, 1), events: [{ type: 'turn.started', turnId, text: 'hello' }] });
  };
  await talk();
  return { tenant, talk };
}

async function backUp(tenantId: string): Promise<string> {
  const backupId = newId('backup');
  await api.adapters.backups.take(tenantId, backupId, 'scheduled', waiting);
  await api.adapters.backups.verify(tenantId, backupId, { operationId: 'backup_x', againstTenant: false }, waiting);
  return backupId;
}

async function drill(tenantIds: readonly string[]): Promise<MaintenanceReport> {
  const body = { reason: 'a test', tenantIds };
  const { status } = await api.send('/api/v1/maintenance/recovery_drill/run', { method: 'POST', token: operator.accessToken, body });
  expect(status).toBe(202);
  await api.adapters.temporalClient.workflow.getHandle('platform/maintenance/recovery_drill-by-hand').result();
  const { body: page } = await api.send<{ data: MaintenanceReport[] }>('/api/v1/maintenance/recovery_drill/reports?limit=1', { token: operator.accessToken });
  if (!page.data[0]) throw new Error('There is no report.');
  return page.data[0];
}

it('brings a tenant back in a scratch tenant, measures it, and leaves nothing of it behind', async () => {
  const { tenant, talk } = await talkativeTenant();
  const backupId = await backUp(tenant.tenantId);
  await talk();
  const report = await drill([tenant.tenantId]);
  expect(report).toMatchObject({ name: 'recovery_drill', outcome: 'clean', tenants: 1, findings: [] });
  const [figures] = report.drills ?? [];
  expect(figures).toMatchObject({ tenantId: tenant.tenantId, backupId, comparison: expect.arrayContaining([expect.objectContaining({ content: 'table', hashesAgree: true })]) as unknown });
  // What was said after the backup would be lost.
  expect(figures?.dataLossSeconds).toBeGreaterThan(0);
  expect(figures?.dataLossSeconds).toBeLessThanOrEqual(figures?.backupAgeSeconds ?? 0);
  expect(figures?.recoverySeconds).toBeGreaterThan(0);
  expect(figures?.recoverySeconds).toBeCloseTo(figures?.steps.reduce((sum, { seconds }) => sum + seconds, 0) ?? 0, 3);
  const { tenants } = await api.adapters.registry.list({ limit: 500 });
  // Others rehearse theirs on the same stack.
  expect(tenants.filter(({ displayName }) => displayName === `Rehearsal of ${tenant.tenantId}`)).toEqual([]);
});

it('says that a backup does not bring its tenant back, and drills the next one all the same', async () => {
  const [broken, good] = [await talkativeTenant(), await talkativeTenant()];
  const backupId = await backUp(broken.tenant.tenantId);
  await backUp(good.tenant.tenantId);
  await spoil(broken.tenant.tenantId, backupId);
  const report = await drill([broken.tenant.tenantId, good.tenant.tenantId]);
  expect(report).toMatchObject({ outcome: 'findings', findings: [{ kind: 'drill/failed', tenantId: broken.tenant.tenantId, subject: backupId }] });
  expect(report.drills?.map(({ tenantId }) => tenantId)).toEqual([good.tenant.tenantId]);
});

/** Turns one byte of the backed-up table over. */
async function spoil(tenantId: string, backupId: string): Promise<void> {
  const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
  const { Contents } = await aws.s3.send(new ListObjectsV2Command({ Bucket, Prefix: `${tenantId}/${backupId}/table` }));
  const Key = Contents?.[0]?.Key ?? '';
  const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket, Key }));
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 0xff;
  await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }));
}
