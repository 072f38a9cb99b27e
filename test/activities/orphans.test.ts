import { randomBytes } from 'node:crypto';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createMaintenanceActivities } from '../../src/activities/maintenance';
import { createAdapters } from '../../src/composition';
import type { Finding } from '../../src/contracts/maintenance';
import { operationIds, scratchTenantId, tenantResources, workflowIds } from '../../src/contracts/names';
import { leftovers } from '../../src/domain/inventory';
import { createLogger } from '../../src/logging';
import { aws, config, newOperationId, newTenantId, stacks, standingPlatform, standingTenant, waiting } from '../adapters/aws/tenants';

const adapters = createAdapters(config, createLogger('worker', 'silent'));
const activities = createMaintenanceActivities(adapters);
beforeAll(standingPlatform);
afterAll(() => adapters.close());

const running = <T>(act: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(act);
const list = () => running(() => activities.listOrphans());
const inspect = (tenantId: string): Promise<Finding[]> => running(() => activities.inspectOrphan({ tenantId }));
const destroy = (tenantId: string): Promise<Finding[]> => running(() => activities.destroyOrphan({ tenantId }));

/** As an operation leaves it that was lost with its workflow: a stack that nobody remembers. */
async function orphanedStack(): Promise<string> {
  const tenantId = newTenantId();
  await stacks.create(tenantId, newOperationId(tenantId), waiting);
  await aws.s3.send(new PutObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key: 'k', Body: 'v' }));
  await adapters.schedules.ensure(tenantId);
  return tenantId;
}

it('finds what belongs to nobody, and no tenant among it', async () => {
  const [orphan, { tenantId }] = [await orphanedStack(), await standingTenant()];
  const orphans = await list();
  expect(orphans).toContain(orphan);
  expect(orphans).not.toContain(tenantId);
  expect(orphans).not.toContain('platform');
  const findings = await inspect(orphan);
  expect(findings).toContainEqual(expect.objectContaining({ kind: 'orphan/resource', subject: `cloudformation:stack ${tenantResources(orphan).stack} (CREATE_COMPLETE)`, repair: 'possible' }));
  expect(await inspect(tenantId)).toEqual([]);
});

it('finds what is left of a tenant that is deleted', async () => {
  const { tenantId, operationId } = await standingTenant();
  await adapters.registry.transition({ tenantId, from: ['active'], to: 'deleted', operationId });
  expect(await list()).toContain(tenantId);
});

it('deletes what an orphan owns when it is told to, the key pending deletion', async () => {
  const orphan = await orphanedStack();
  const findings = await destroy(orphan);
  expect(findings.length).toBeGreaterThan(10);
  expect(findings.every(({ repair }) => repair === 'done')).toBe(true);
  const left = async () => leftovers(await adapters.inventory.list(orphan));
  // The list of schedules lags behind.
  while ((await left()).length > 0);
  expect(await list()).not.toContain(orphan);
  expect(await destroy(orphan)).toEqual([]);
});

it('says what it cannot delete', async () => {
  const orphan = newTenantId();
  const { table } = tenantResources(orphan);
  await aws.table.send(
    new CreateTableCommand({ TableName: table, BillingMode: 'PAY_PER_REQUEST', AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }], KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }] }),
  );
  await aws.ssm.send(new PutParameterCommand({ Name: tenantResources(orphan).agentParameter, Value: 'v', Type: 'String' }));
  expect(await destroy(orphan)).toEqual([
    { kind: 'orphan/resource', tenantId: orphan, subject: `dynamodb:table ${table} (ACTIVE)`, message: 'It is part of no stack: delete it by hand.', repair: 'failed' },
    { kind: 'orphan/resource', tenantId: orphan, subject: `ssm:parameter ${tenantResources(orphan).agentParameter}`, message: 'Deleted, as asked.', repair: 'done' },
  ]);
});

describe('a scratch tenant', () => {
  /** As a rehearsal makes it. No worker takes the rehearsal up: it runs until the test ends it. */
  async function rehearsed() {
    const unique = randomBytes(13).toString('hex');
    const tenantId = scratchTenantId(unique);
    const operationId = operationIds.of('rehearsal', tenantId, unique);
    await adapters.registry.reserve({ tenantId, displayName: tenantId, tier: 'standard', operationId });
    await stacks.create(tenantId, operationId, waiting);
    const rehearsal = await adapters.temporalClient.workflow.start('rehearsal', { workflowId: workflowIds.operation(operationId), taskQueue: 'nobody', args: [] });
    return { tenantId, rehearsal };
  }

  it('is none while it is rehearsed, and one once its rehearsal has ended', async () => {
    const { tenantId, rehearsal } = await rehearsed();
    const drift = () => running(() => activities.inspectTenant({ tenantId, repair: true }));
    expect(await list()).not.toContain(tenantId);
    expect(await inspect(tenantId)).toEqual([]);
    expect(await drift()).toEqual([]);
    await expect(destroy(tenantId)).rejects.toMatchObject({ code: 'tenant/exists' });

    await rehearsal.terminate();
    expect(await list()).toContain(tenantId);
    expect(await inspect(tenantId)).toContainEqual(expect.objectContaining({ subject: expect.stringContaining(tenantResources(tenantId).stack) as string, message: expect.stringContaining('rehearsal') as string }));
    expect(await drift()).toEqual([]);
    expect((await destroy(tenantId)).every(({ repair }) => repair === 'done')).toBe(true);
    expect(await adapters.registry.get(tenantId)).toBeUndefined();
    expect(await list()).not.toContain(tenantId);
  });
});

/** Guarantees that a wrong id costs nothing. */
it('deletes nothing of a tenant that exists', async () => {
  const { tenantId } = await standingTenant();
  const before = await adapters.inventory.list(tenantId);
  await expect(destroy(tenantId)).rejects.toMatchObject({ code: 'tenant/exists' });
  expect(await adapters.inventory.list(tenantId)).toEqual(before);
});
