import { setTimeout as delay } from 'node:timers/promises';
import { CreateAliasCommand, CreateKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { CreateAgentRuntimeCommand, CreateAgentRuntimeEndpointCommand, CreateMemoryCommand } from '@aws-sdk/client-bedrock-agentcore-control';
import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { PutMetricAlarmCommand } from '@aws-sdk/client-cloudwatch';
import { CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { AdminCreateUserCommand, CreateGroupCommand, CreateUserPoolClientCommand, CreateUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import { CreateBackupCommand, CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { AttachRolePolicyCommand, CreatePolicyCommand, CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { AgentConfig } from '../../src/contracts/tenant';
import { createAwsFinders } from '../../src/adapters/aws/inventory';
import { createTemporalClient } from '../../src/adapters/temporal/connection';
import { createTenantWork } from '../../src/adapters/temporal/tenant-work';
import { createTenantInventory, registryFinder } from '../../src/adapters/tenant-inventory';
import { createValkey } from '../../src/adapters/valkey/connection';
import { createTenantKeys } from '../../src/adapters/valkey/tenant-keys';
import { searchAttributes, tenantAlarms, tenantResources, valkeyKeys } from '../../src/contracts/names';
import { leftovers } from '../../src/domain/inventory';
import { createLogger } from '../../src/logging';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { aws, config, configs, dataConverter, newTenantId, registry, standingPlatform, standingTenant, users } from './aws/tenants';

const temporal = createTemporalClient(config.temporal, dataConverter);
const valkey = createValkey(config.valkey.url, createLogger('worker', 'silent'));
const traces = createTenantKeys(valkey);
const inventory = createTenantInventory([registryFinder(registry), ...createAwsFinders(aws), createTenantWork(temporal.client), traces]);

beforeAll(async () => {
  await standingPlatform();
  await valkey.commands.ping();
});
afterAll(async () => {
  await valkey.close();
  await temporal.close();
});

/** As `service:type`, with the state where it is not the same each time. */
const kinds = async (tenantId: string) => (await inventory.list(tenantId)).map(({ service, type }) => `${service}:${type}`);

const createSchedule = (tenantId: string) =>
  temporal.client.schedule.create({
    scheduleId: `${tenantId}/schedules/nightly`,
    spec: { intervals: [{ every: '30 days' }] },
    action: { type: 'startWorkflow', workflowType: 'nothing', taskQueue: 'nobody', workflowId: `${tenantId}/nightly` },
  });

it('lists all that a tenant owns', async () => {
  const { tenantId, infrastructure } = await standingTenant();
  await configs.put(tenantId, AgentConfig.parse({}));
  await users.create(infrastructure.userPoolId, { email: 'a@example.com', groups: ['administrators'] });
  const names = tenantResources(tenantId);
  expect(await inventory.list(tenantId)).toEqual([
    { service: 'agentcore', type: 'memory', name: expect.stringMatching(`^${names.memory}-`) as string, state: 'ACTIVE' },
    { service: 'agentcore', type: 'runtime', name: expect.stringMatching(`^${names.runtime}-`) as string, state: 'READY' },
    { service: 'agentcore', type: 'runtime-endpoint', name: expect.stringMatching(`^${names.runtime}-.*/live$`) as string, state: 'READY' },
    { service: 'cloudformation', type: 'stack', name: names.stack, state: 'CREATE_COMPLETE' },
    ...tenantAlarms.map((kind) => ({ service: 'cloudwatch', type: 'alarm', name: names[kind] })).sort((a, b) => a.name.localeCompare(b.name)),
    { service: 'cognito', type: 'group', name: 'administrators' },
    { service: 'cognito', type: 'group', name: 'members' },
    { service: 'cognito', type: 'user-pool', name: names.userPool },
    { service: 'cognito', type: 'user-pool-client', name: names.userPoolClient },
    { service: 'cognito', type: 'users', name: names.userPool, state: '1' },
    { service: 'dynamodb', type: 'table', name: names.table, state: 'ACTIVE' },
    { service: 'iam', type: 'inline-policy', name: `${names.role}/data-of-this-tenant` },
    { service: 'iam', type: 'role', name: names.role },
    { service: 'kms', type: 'alias', name: names.keyAlias },
    { service: 'kms', type: 'key', name: infrastructure.keyArn, state: 'Enabled' },
    { service: 'logs', type: 'log-group', name: names.logGroup },
    { service: 'registry', type: 'tenant', name: tenantId, state: 'active' },
    { service: 's3', type: 'bucket', name: names.bucket },
    { service: 'ssm', type: 'parameter', name: names.agentParameter },
  ]);
});

const createRuntime = (agentRuntimeName: string) =>
  aws.agentCoreControl.send(
    new CreateAgentRuntimeCommand({
      agentRuntimeName,
      agentRuntimeArtifact: { containerConfiguration: { containerUri: '000000000000.dkr.ecr.us-east-1.amazonaws.com/a:b' } },
      roleArn: 'arn:aws:iam::000000000000:role/r',
      networkConfiguration: { networkMode: 'PUBLIC' },
    }),
  );

/** Each alone, of a tenant that nothing else knows of: a half-done or forgotten tenant is such. */
describe('finds what was left behind', () => {
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [] });
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] });
  const tag = (tenantId: string) => [{ TagKey: 'TenantId', TagValue: tenantId }];
  const plants: Record<string, (tenantId: string, names: ReturnType<typeof tenantResources>) => Promise<unknown>> = {
    'registry:tenant': (tenantId) => registry.reserve({ tenantId, displayName: tenantId, tier: 'standard', operationId: 'onboarding_x_1' }),
    'cloudformation:stack': (_tenantId, { stack }) =>
      aws.cloudFormation.send(new CreateStackCommand({ StackName: stack, TemplateBody: 'Resources: { Nothing: { Type: AWS::CloudFormation::WaitConditionHandle } }' })),
    'cognito:user-pool': (_tenantId, { userPool }) => aws.cognito.send(new CreateUserPoolCommand({ PoolName: userPool })),
    'cognito:user-pool-client': async (_tenantId, { userPool, userPoolClient }) => {
      const { UserPool } = await aws.cognito.send(new CreateUserPoolCommand({ PoolName: userPool }));
      await aws.cognito.send(new CreateUserPoolClientCommand({ UserPoolId: UserPool?.Id, ClientName: userPoolClient }));
    },
    'cognito:group': async (_tenantId, { userPool }) => {
      const { UserPool } = await aws.cognito.send(new CreateUserPoolCommand({ PoolName: userPool }));
      await aws.cognito.send(new CreateGroupCommand({ UserPoolId: UserPool?.Id, GroupName: 'members' }));
    },
    'cognito:users': async (_tenantId, { userPool }) => {
      const { UserPool } = await aws.cognito.send(new CreateUserPoolCommand({ PoolName: userPool }));
      await aws.cognito.send(new AdminCreateUserCommand({ UserPoolId: UserPool?.Id, Username: 'somebody' }));
    },
    'kms:alias': async (_tenantId, { keyAlias }) => {
      const { KeyMetadata } = await aws.kms.send(new CreateKeyCommand({}));
      await aws.kms.send(new CreateAliasCommand({ AliasName: keyAlias, TargetKeyId: KeyMetadata?.KeyId }));
    },
    'kms:key': (tenantId) => aws.kms.send(new CreateKeyCommand({ Tags: tag(tenantId) })),
    'iam:role': (_tenantId, { role }) => aws.iam.send(new CreateRoleCommand({ RoleName: role, AssumeRolePolicyDocument: trust })),
    'iam:inline-policy': async (_tenantId, { role }) => {
      await aws.iam.send(new CreateRoleCommand({ RoleName: role, AssumeRolePolicyDocument: trust }));
      await aws.iam.send(new PutRolePolicyCommand({ RoleName: role, PolicyName: 'p', PolicyDocument: policy }));
    },
    'iam:attached-policy': async (tenantId, { role }) => {
      await aws.iam.send(new CreateRoleCommand({ RoleName: role, AssumeRolePolicyDocument: trust }));
      const { Policy } = await aws.iam.send(new CreatePolicyCommand({ PolicyName: `by-hand-${tenantId}`, PolicyDocument: policy }));
      await aws.iam.send(new AttachRolePolicyCommand({ RoleName: role, PolicyArn: Policy?.Arn }));
    },
    's3:bucket': (_tenantId, { bucket }) => aws.s3.send(new CreateBucketCommand({ Bucket: bucket })),
    's3:object-versions': async (_tenantId, { bucket }) => {
      await aws.s3.send(new CreateBucketCommand({ Bucket: bucket }));
      await aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: 'v' }));
    },
    's3:incomplete-uploads': async (_tenantId, { bucket }) => {
      await aws.s3.send(new CreateBucketCommand({ Bucket: bucket }));
      await aws.s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'k' }));
    },
    'dynamodb:table': (_tenantId, { table }) => createTable(table),
    'dynamodb:backup': async (_tenantId, { table }) => {
      await createTable(table);
      await aws.table.send(new CreateBackupCommand({ TableName: table, BackupName: 'by-hand' }));
    },
    'ssm:parameter': (_tenantId, { parameterPrefix }) => aws.ssm.send(new PutParameterCommand({ Name: `${parameterPrefix}deep/down`, Value: 'v', Type: 'String' })),
    'logs:log-group': (_tenantId, { logGroup }) => aws.logs.send(new CreateLogGroupCommand({ logGroupName: logGroup })),
    'cloudwatch:alarm': (_tenantId, { stuckAlarm }) =>
      aws.cloudWatch.send(
        new PutMetricAlarmCommand({ AlarmName: stuckAlarm, MetricName: 'm', Namespace: 'n', Statistic: 'Sum', Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold' }),
      ),
    'agentcore:runtime': (_tenantId, { runtime }) => createRuntime(runtime),
    'agentcore:runtime-endpoint': async (_tenantId, { runtime }) => {
      const { agentRuntimeId } = await createRuntime(runtime);
      await aws.agentCoreControl.send(new CreateAgentRuntimeEndpointCommand({ agentRuntimeId, name: 'by_hand' }));
    },
    'agentcore:memory': (_tenantId, { memory }) => aws.agentCoreControl.send(new CreateMemoryCommand({ name: memory, eventExpiryDuration: 7 })),
    'temporal:schedule': createSchedule,
    'valkey:key': (tenantId) => valkey.commands.set(valkeyKeys.rate(tenantId), '1'),
  };

  const createTable = (TableName: string) =>
    aws.table.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      }),
    );

  it.each(Object.entries(plants))('%s', async (kind, plant) => {
    const tenantId = newTenantId();
    expect(await inventory.list(tenantId)).toEqual([]);
    await plant(tenantId, tenantResources(tenantId));
    await eventually(async () => expect(await kinds(tenantId)).toContain(kind));
    await eventually(async () => expect(await inventory.tenantIds()).toContain(tenantId));
  });

  it('all that it says it looks for, and says how', async () => {
    const { checks, resources } = await inventory.inspect(newTenantId());
    expect(resources).toEqual([]);
    const planted = [...Object.keys(plants), 'temporal:workflow'].sort();
    expect(checks.map(({ service, type }) => `${service}:${type}`).sort()).toEqual(planted);
    for (const { call, checkedAt, found } of checks) {
      expect(call).not.toBe('');
      expect(Math.abs(Date.now() - Date.parse(checkedAt))).toBeLessThan(60_000);
      expect(found).toBe(0);
    }
  });

  it('nothing of a kind it does not say how it looks for', async () => {
    const silent = createTenantInventory([{ checks: [], find: () => Promise.resolve([{ service: 's3', type: 'bucket', name: 'x' }]), tenantIds: () => Promise.resolve([]) }]);
    await expect(silent.inspect('acme')).rejects.toThrow('s3:bucket');
  });

  /** Temporal's list follows its changes by moments. */
  async function eventually(check: () => Promise<void>): Promise<void> {
    for (const giveUpAtMs = Date.now() + 5_000; ; )
      try {
        await check();
        return;
      } catch (error) {
        if (Date.now() > giveUpAtMs) throw error;
        await delay(50);
      }
  }

  it('temporal:workflow, but not the one that asks', async () => {
    const tenantId = newTenantId();
    const key = defineSearchAttributeKey(searchAttributes.tenantId, SearchAttributeType.KEYWORD);
    const handles = await Promise.all(
      ['one', 'two'].map((name) =>
        temporal.client.workflow.start('nothing', { workflowId: `${tenantId}/${name}`, taskQueue: 'nobody', typedSearchAttributes: [{ key, value: tenantId }] }),
      ),
    );
    await eventually(async () => expect(await kinds(tenantId)).toEqual(['temporal:workflow', 'temporal:workflow']));
    expect(await inventory.list(tenantId, { workflowId: `${tenantId}/one` })).toEqual([{ service: 'temporal', type: 'workflow', name: `${tenantId}/two` }]);
    await Promise.all(handles.map((handle) => handle.terminate()));
  });
});

it('counts neither a tombstone nor a key pending deletion as left behind', async () => {
  const tenantId = newTenantId();
  const { KeyMetadata } = await aws.kms.send(new CreateKeyCommand({ Tags: [{ TagKey: 'TenantId', TagValue: tenantId }] }));
  await registry.reserve({ tenantId, displayName: tenantId, tier: 'standard', operationId: 'onboarding_x_1' });
  await aws.kms.send(new ScheduleKeyDeletionCommand({ KeyId: KeyMetadata?.KeyId, PendingWindowInDays: 7 }));
  await registry.transition({ tenantId, from: ['provisioning'], to: 'deleted', operationId: 'onboarding_x_1' });
  const owned = await inventory.list(tenantId);
  expect(owned).toMatchObject([{ type: 'key', state: 'PendingDeletion' }, { type: 'tenant', state: 'deleted' }]);
  expect(leftovers(owned)).toEqual([]);
  expect(await inventory.tenantIds()).not.toContain(tenantId);
});

it('tells the schedules of tenants apart whose ids begin alike', async () => {
  const id = newTenantId();
  await createSchedule(`${id}-x`);
  // Temporal's list lags behind.
  while (!(await kinds(`${id}-x`)).includes('temporal:schedule')) await delay(50);
  expect(await inventory.list(id)).toEqual([]);
});

it('tells tenants apart whose ids begin alike, or differ in a hyphen', async () => {
  const id = newTenantId();
  const alike = [`${id}-x`, `${id}x`, `${id}-`, `${id}-data`, `${id}-memory`];
  for (const other of alike) {
    const { memory, runtime, logGroup, agentParameter, bucket, alarm } = tenantResources(other);
    await createRuntime(runtime);
    await aws.agentCoreControl.send(new CreateMemoryCommand({ name: memory, eventExpiryDuration: 7 }));
    await aws.logs.send(new CreateLogGroupCommand({ logGroupName: logGroup }));
    await aws.ssm.send(new PutParameterCommand({ Name: agentParameter, Value: 'v', Type: 'String' }));
    await aws.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    await aws.cloudWatch.send(
      new PutMetricAlarmCommand({ AlarmName: alarm, MetricName: 'm', Namespace: 'n', Statistic: 'Sum', Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold' }),
    );
    await valkey.commands.set(valkeyKeys.rate(other), '1');
  }
  expect(await inventory.list(id)).toEqual([]);
  for (const other of alike) expect(await kinds(other)).toEqual(['agentcore:memory', 'agentcore:runtime', 'cloudwatch:alarm', 'logs:log-group', 's3:bucket', 'ssm:parameter', 'valkey:key']);
  expect(await inventory.tenantIds()).toEqual(expect.arrayContaining(alike));
  expect(await inventory.tenantIds()).not.toContain(id);

  await traces.erase(id);
  expect(await kinds(`${id}-x`)).toContain('valkey:key');
  await traces.erase(`${id}-x`);
  expect(await kinds(`${id}-x`)).not.toContain('valkey:key');
});
