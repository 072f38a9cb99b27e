import { DeleteAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { DeleteUserPoolClientCommand, UpdateResourceServerCommand } from '@aws-sdk/client-cognito-identity-provider';
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createMaintenanceActivities } from '../../src/activities/maintenance';
import { deleteDomain } from '../../src/adapters/aws/machine-clients';
import { createAdapters } from '../../src/composition';
import type { Finding } from '../../src/contracts/maintenance';
import { machineAccess, platformOwner, platformResources, scheduleIds, taskQueues, tenantResources } from '../../src/contracts/names';
import { AgentSchedule } from '../../src/contracts/schedule';
import { AgentConfig } from '../../src/contracts/tenant';
import { createLogger } from '../../src/logging';
import { aws, config, newOperationId, standingPlatform, standingTenant } from '../adapters/aws/tenants';
import { startWorkers } from '../api/workers';

const adapters = createAdapters(config, createLogger('worker', 'silent'));
const activities = createMaintenanceActivities(adapters);
const { registry, schedules, configs } = adapters;

let tenantId: string;
let stopWorkers: () => Promise<void>;
let served: string[];

/** Workers of a tenant are started before it is looked at: each test takes one that is served. */
beforeAll(async () => {
  await standingPlatform();
  served = await Promise.all(Array.from({ length: 16 }, async () => (await standingTenant()).tenantId));
  await Promise.all(served.map(async (id) => Promise.all([configs.put(id, AgentConfig.parse({})), schedules.ensure(id)])));
  stopWorkers = await startWorkers(adapters, served);
  for (const id of served) while ((await adapters.queues.serviceOf(taskQueues.tenant(id), 'activities')).pollers === 0);
});
afterAll(async () => {
  await stopWorkers();
  await adapters.close();
});
beforeEach(() => (tenantId = served.pop() ?? ''));

const inspect = (repair = false, id = tenantId): Promise<Finding[]> => new MockActivityEnvironment().run(() => activities.inspectTenant({ tenantId: id, repair }));

async function change(attributes: Record<string, unknown>): Promise<void> {
  const names = Object.keys(attributes);
  await aws.table.send(
    new UpdateCommand({
      TableName: platformResources.registryTable,
      Key: { tenantId },
      UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
      ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]])),
    }),
  );
}

it('finds nothing at a tenant that is as it should be', async () => {
  expect(await inspect()).toEqual([]);
});

describe('what somebody deleted', () => {
  const { table, alarm, agentParameter } = tenantResources('*');
  const plants: [string, string, (name: string) => Promise<unknown>][] = [
    ['dynamodb:table', table, (TableName) => aws.table.send(new DeleteTableCommand({ TableName }))],
    ['cloudwatch:alarm', alarm, (name) => aws.cloudWatch.send(new DeleteAlarmsCommand({ AlarmNames: [name] }))],
    ['ssm:parameter', agentParameter, (Name) => aws.ssm.send(new DeleteParameterCommand({ Name }))],
  ];
  it.each(plants)('a %s: found, and left to a person', async (kind, pattern, remove) => {
    const name = pattern.replace('*', tenantId);
    await remove(name);
    const expected = [{ kind: 'resource/missing', tenantId, subject: expect.stringMatching(`^${kind} ${name}`) as string, message: expect.any(String) as string, repair: 'none' }];
    expect(await inspect(true)).toEqual(expected);
  });

  it('a schedule: found, and created again when asked', async () => {
    const subject = `temporal:schedule ${scheduleIds.of(tenantId, 'usage')}`;
    await adapters.temporalClient.schedule.getHandle(scheduleIds.of(tenantId, 'usage')).delete();
    const seen = async (repair: boolean) => {
      // The list of schedules lags behind.
      for (;;) {
        const found = await inspect(repair);
        if (found.length > 0) return found;
      }
    };
    expect(await seen(false)).toMatchObject([{ kind: 'resource/missing', subject, repair: 'possible' }]);
    expect((await schedules.list(tenantId)).map(({ name }) => name)).not.toContain('usage');
    expect(await seen(true)).toMatchObject([{ kind: 'resource/missing', subject, repair: 'done' }]);
    expect((await schedules.list(tenantId)).map(({ name }) => name)).toContain('usage');
  });

  it('a scheduled agent is run again, and one that nobody has written down is gone', async () => {
    const at = new Date().toISOString();
    const schedule = (name: string) => AgentSchedule.parse({ name, times: { everySeconds: 3_600 }, userId: 'ann', requestId: 'req-1', revision: 1, createdAt: at, updatedAt: at });
    const { agentSchedules, agentClock } = adapters;
    await agentSchedules.create(tenantId, schedule('written'), 'Look around.');
    await agentClock.set(tenantId, schedule('unwritten'), undefined);
    const subject = (name: string) => `temporal:schedule ${scheduleIds.of(tenantId, scheduleIds.agentJob(name))}`;
    // The list of schedules lags behind.
    while ((await agentClock.names(tenantId)).length === 0);
    const found = (repair: string) => [{ kind: 'resource/missing', subject: subject('written'), repair }, { kind: 'resource/unrecorded', subject: subject('unwritten'), repair }];
    expect(await inspect()).toMatchObject(found('possible'));
    expect(await inspect(true)).toMatchObject(found('done'));
    expect([await agentClock.state(tenantId, 'written'), await agentClock.state(tenantId, 'unwritten')]).toMatchObject([{ paused: false }, undefined]);
  });
});

describe('machine clients', () => {
  const { cognito } = aws;
  const { accessStore, machineClients } = adapters;
  const pool = async () => (await registry.get(tenantId))?.infrastructure?.userPoolId ?? '';
  const anHourAgo = Date.now() - 3_600_000;

  async function registered(clientId: string) {
    const UserPoolId = await pool();
    const { oauthClientId } = await machineClients.create(UserPoolId, { name: machineAccess.appClient(tenantId, clientId, anHourAgo) });
    const at = new Date().toISOString();
    await accessStore.addMachineClient(tenantId, { clientId, name: 'orders', permissions: ['read:session'], credentials: [{ oauthClientId, since: at }], createdBy: 'ann', createdAt: at });
    return { UserPoolId, ClientId: oauthClientId };
  }
  const ids = async () => (await machineClients.look(await pool()))?.appClients.map(({ oauthClientId }) => oauthClientId);

  it('one whose app client is gone is found, and left to a person; nothing is said of those that are as they should be', async () => {
    const ref = await registered('0123456789abcdef');
    expect(await inspect()).toEqual([]);
    await cognito.send(new DeleteUserPoolClientCommand(ref));
    expect(await inspect(true)).toMatchObject([{ kind: 'resource/missing', subject: `cognito:user-pool-client ${ref.ClientId}`, message: expect.stringContaining('0123456789abcdef (orders)') as unknown, repair: 'none' }]);
    await accessStore.revokeMachineClient(tenantId, '0123456789abcdef');
    expect(await inspect()).toEqual([]);
  });

  it('an app client that is no longer any machine client’s is deleted when asked; neither one just made nor what others made', async () => {
    const { UserPoolId, ClientId } = await registered('0123456789abcdef');
    const [old, young] = [machineAccess.appClient(tenantId, 'a'.repeat(16), anHourAgo), machineAccess.appClient(tenantId, 'b'.repeat(16), Date.now())];
    const made = await Promise.all([old, young, 'by-hand'].map((name) => machineClients.create(UserPoolId, { name })));
    const found = (repair: string) => [old, 'by-hand'].map((name) => ({ kind: 'resource/unrecorded', subject: `cognito:user-pool-client ${name}`, repair: name === old ? repair : 'none' }));
    expect(await inspect()).toMatchObject(found('possible'));
    expect(await ids()).toEqual(expect.arrayContaining(made.map(({ oauthClientId }) => oauthClientId)));
    expect(await inspect(true)).toMatchObject(found('done'));
    const left = await ids();
    expect(left).toEqual(expect.arrayContaining([ClientId, ...made.slice(1).map(({ oauthClientId }) => oauthClientId)]));
    expect(left).not.toContain(made[0]?.oauthClientId);
    await accessStore.revokeMachineClient(tenantId, '0123456789abcdef');
    await inspect(true);
    expect(await ids()).not.toContain(ClientId);
  });

  it('scopes somebody changed are those that can be given again when asked; a domain that is gone is left to a person', async () => {
    const { UserPoolId } = await registered('0123456789abcdef');
    const scopes = async () => (await machineClients.look(UserPoolId))?.scopes;
    const before = await scopes();
    await cognito.send(new UpdateResourceServerCommand({ UserPoolId, Identifier: 'tenure', Name: 'tenure', Scopes: [{ ScopeName: 'everything', ScopeDescription: 'x' }] }));
    const differs = { kind: 'resource/differs', subject: 'cognito:resource-server tenure', message: expect.stringMatching(/read:session is absent.*everything is no permission/) as unknown };
    expect(await inspect()).toMatchObject([{ ...differs, repair: 'possible' }]);
    expect(await inspect(true)).toMatchObject([{ ...differs, repair: 'done' }]);
    expect(await scopes()).toEqual(before);
    await deleteDomain(cognito, UserPoolId);
    expect(await inspect(true)).toMatchObject([{ kind: 'resource/missing', subject: 'cognito:domain', repair: 'none' }]);
  });
});

it('finds a registry entry that leads elsewhere, and corrects it by the stack', async () => {
  const { infrastructure } = (await registry.get(tenantId)) ?? {};
  await change({ infrastructure: { ...infrastructure, tableName: 'tenant-other-data' } });
  const differs = { kind: 'registry/differs', subject: 'registry tableName', message: `The registry says tenant-other-data, the stack ${tenantResources(tenantId).table}.` };
  expect(await inspect()).toMatchObject([{ ...differs, repair: 'possible' }]);
  expect((await registry.get(tenantId))?.infrastructure?.tableName).toBe('tenant-other-data');
  expect(await inspect(true)).toMatchObject([{ ...differs, repair: 'done' }]);
  expect((await registry.get(tenantId))?.infrastructure).toEqual(infrastructure);
  expect(await inspect()).toEqual([]);
});

it('finds a configuration that cannot be read, with what is wrong', async () => {
  const { agentParameter: Name } = tenantResources(tenantId);
  await aws.ssm.send(new PutParameterCommand({ Name, Value: '{"modelId":7}', Type: 'SecureString', Overwrite: true }));
  expect(await inspect(true)).toMatchObject([{ kind: 'resource/unhealthy', subject: `ssm:parameter ${Name}`, message: expect.stringContaining('modelId: ') as unknown, repair: 'none' }]);
});

it('finds a memory the registry does not lead to', async () => {
  await change({ memoryId: 'tenant_other_memory-0123456789' });
  expect(await inspect()).toMatchObject([{ kind: 'resource/missing', subject: 'agentcore:memory tenant_other_memory-0123456789', repair: 'none' }]);
});

it('finds a claim whose operation has ended, and lets go of it', async () => {
  const claimedBy = newOperationId(tenantId);
  await registry.claim(tenantId, claimedBy);
  expect(await inspect()).toMatchObject([{ kind: 'claim/ended', subject: claimedBy, repair: 'possible' }]);
  expect(await inspect(true)).toMatchObject([{ kind: 'claim/ended', subject: claimedBy, repair: 'done' }]);
  expect((await registry.get(tenantId))?.claimedBy).toBeUndefined();
});

it('finds a status that no operation owns', async () => {
  const operationId = newOperationId(tenantId);
  await registry.transition({ tenantId, from: ['active'], to: 'offboarding', operationId });
  expect(await inspect(true)).toMatchObject([{ kind: 'status/unowned', subject: operationId, repair: 'none' }]);
});

it('finds a tenant that no worker serves', async () => {
  const { tenantId: unserved } = await standingTenant();
  await Promise.all([configs.put(unserved, AgentConfig.parse({})), schedules.ensure(unserved)]);
  expect(await inspect(false, unserved)).toMatchObject([{ kind: 'worker/absent', subject: `queue tenant-${unserved}`, repair: 'none' }]);
});

it("finds a schedule of the platform's that is missing, and creates it when asked; one that is paused stays paused", async () => {
  const look = (repair: boolean): Promise<Finding[]> => new MockActivityEnvironment().run(() => activities.inspectPlatform({ repair }));
  await schedules.ensure(platformOwner);
  await schedules.pause(platformOwner, 'drift', 'Paused by ann: an audit');
  await adapters.temporalClient.schedule.getHandle(scheduleIds.of(platformOwner, 'orphans')).delete();
  const missing = { kind: 'resource/missing', subject: 'temporal:schedule platform/schedules/orphans' };
  expect(await look(false)).toContainEqual(expect.objectContaining({ ...missing, repair: 'possible' }));
  expect(await look(true)).toContainEqual(expect.objectContaining({ ...missing, repair: 'done' }));
  expect(await schedules.list(platformOwner)).toContainEqual(expect.objectContaining({ name: 'drift', paused: true, note: 'Paused by ann: an audit' }));
  await schedules.resume(platformOwner, 'drift', 'Resumed by ann: done');
});
