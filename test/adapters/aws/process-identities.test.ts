import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { BatchWriteCommand, DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { CreatePolicyCommand, CreateRoleCommand, GetPolicyCommand, GetPolicyVersionCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { createAuditLog } from '../../../src/adapters/aws/audit/log';
import { createPlatformClients, type PlatformClients } from '../../../src/adapters/aws/clients';
import { ensureProcessUsers, type ProcessName, processNames } from '../../../src/adapters/aws/process-identities';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { codeOf } from '../../../src/contracts/errors';
import { auditKeys, platformResources } from '../../../src/contracts/names';
import type { ServedTenant } from '../../../src/contracts/tenant';
import { attempts, dataAttempts, isUnchecked } from './attempts';
import { aws, settings, standingPlatform, standingTenant } from './tenants';

let tenant: ServedTenant;
let processes: Readonly<Record<ProcessName, PlatformClients>>;

const refusalOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => codeOf(error) ?? error,
  );

beforeAll(async () => {
  await standingPlatform();
  tenant = await standingTenant();
  // Again, as at the next start.
  const template = await readFile(path.join(__dirname, '../../../cloudformation/platform-identities.yaml'), 'utf8');
  await ensureProcessUsers(aws, template, AbortSignal.timeout(20_000));
  const keys = await ensureProcessUsers(aws, template, AbortSignal.timeout(20_000));
  processes = { api: createPlatformClients(settings, keys.api), worker: createPlatformClients(settings, keys.worker) };
  for (const { attempt } of Object.values(dataAttempts)) await attempt(aws, tenant);
});

/** Of all that is tried on a tenant, what a process may do for its work: nothing of it reads or writes data. */
const allowed: Readonly<Record<ProcessName, readonly string[]>> = {
  api: ['describes the key', 'lists the bucket', 'reads the pool', 'reads the stack', 'assumes the role', 'lists the users'],
  worker: [
    ...['describes the key', 'lists the bucket', 'reads the pool', 'reads the stack', 'assumes the role'],
    ...['deletes an object', 'deletes a parameter', 'has the key deleted', 'deletes the stack', 'lists the users', 'adds a user'],
  ],
};

const tries = Object.entries(attempts).flatMap(([kind, of]) => (isUnchecked(of) ? [] : Object.entries(of).map(([name, attempt]) => ({ kind, name, attempt }))));

describe.each(processNames)('the %s itself', (name) => {
  it.each(tries.filter((one) => !allowed[name].includes(one.name)))('is refused on a tenant’s $kind: $name', async ({ attempt }) => {
    expect(await refusalOf(attempt(processes[name], tenant))).toBe('dependency/denied');
  });

  it('can do none of what reads a tenant’s data', () => {
    const reading = Object.entries(dataAttempts).flatMap(([attempt, { reads }]) => (reads ? [attempt] : []));
    expect(reading.filter((attempt) => allowed[name].includes(attempt))).toEqual([]);
    expect(reading.length).toBeGreaterThan(5);
  });

  it('reaches the same data as the tenant', async () => {
    const access = createTenantAccess({ sts: processes[name].sts, settings });
    expect(await refusalOf(dataAttempts['reads an item']?.attempt({ ...aws, ...access.clients(tenant.tenantId, 'session-read') }, tenant) ?? Promise.reject(new Error('no such attempt')))).toBe('done');
  });

  it('appends to the audit log, reads and signs it, and changes or deletes nothing in it', async () => {
    const audit = createAuditLog(processes[name]);
    const chain = `appended-by-${name}`;
    const event = { at: new Date().toISOString(), actor: { kind: 'anonymous' as const }, action: 'a test', object: 'o', outcome: 'done' as const };
    await audit.append(chain, [event], 'once');
    await audit.append(chain, [event]);
    expect(await audit.sign(chain)).toMatchObject({ seq: 2, isNew: true });
    const { table } = processes[name];
    const TableName = platformResources.auditTable;
    const Key = { chain, sk: auditKeys.batch(1) };
    const refused = [
      table.send(new DeleteCommand({ TableName, Key })),
      table.send(new UpdateCommand({ TableName, Key, UpdateExpression: 'SET entries = :none', ExpressionAttributeValues: { ':none': [] } })),
      table.send(new BatchWriteCommand({ RequestItems: { [TableName]: [{ DeleteRequest: { Key } }] } })),
    ].map(refusalOf);
    expect(await Promise.all(refused)).toEqual(refused.map(() => 'dependency/denied'));
    expect((await audit.head(chain)).seq).toBe(2);
  });

  it('uses what is the platform’s, and makes nothing itself', async () => {
    const { table, kms, iam } = processes[name];
    const { Item } = await table.send(new GetCommand({ TableName: platformResources.registryTable, Key: { tenantId: tenant.tenantId } }));
    expect(Item).toMatchObject({ tenantId: tenant.tenantId });
    expect(await refusalOf(kms.send(new GenerateDataKeyCommand({ KeyId: platformResources.historyKeyAlias, KeySpec: 'AES_256' })))).toBe('done');
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    const refused = [
      iam.send(new CreateRoleCommand({ RoleName: 'tenant-mine-access', AssumeRolePolicyDocument })),
      iam.send(new PutRolePolicyCommand({ RoleName: `tenant-${tenant.tenantId}-access`, PolicyName: 'more', PolicyDocument: AssumeRolePolicyDocument })),
      table.send(new CreateTableCommand({ TableName: 'another', BillingMode: 'PAY_PER_REQUEST', AttributeDefinitions: [{ AttributeName: 'a', AttributeType: 'S' }], KeySchema: [{ AttributeName: 'a', KeyType: 'HASH' }] })),
      table.send(new PutCommand({ TableName: tenant.infrastructure.tableName, Item: { pk: 'a', sk: 'a' } })),
    ].map(refusalOf);
    expect(await Promise.all(refused)).toEqual(refused.map(() => 'dependency/denied'));
  });
});

describe('a role that is given everything, within the boundary of tenants', () => {
  const assumed = async (tenantId: string): Promise<PlatformClients> => {
    const PolicyArn = 'arn:aws:iam::000000000000:policy/tenure-tenant-boundary';
    const { Policy: published } = await aws.iam.send(new GetPolicyCommand({ PolicyArn }));
    const { PolicyVersion } = await aws.iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: published?.DefaultVersionId }));
    // The emulator knows no variables in policies: here they are filled in as IAM does it with the tag of the session.
    const filled = decodeURIComponent(PolicyVersion?.Document ?? '').replaceAll('${aws:PrincipalTag/TenantId}', tenantId);
    expect(filled).not.toContain('${');
    const { Policy } = await aws.iam.send(new CreatePolicyCommand({ PolicyName: `boundary-of-${tenantId}`, PolicyDocument: filled }));
    const RoleName = `wide-${tenantId}`;
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::000000000000:root' }, Action: 'sts:AssumeRole' }] });
    const { Role } = await aws.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument, PermissionsBoundary: Policy?.Arn }));
    // The second statement has the emulator look keys' tags up: it does that for conditions of a role's own policy only.
    const Statement = [{ Effect: 'Allow', Action: '*', Resource: '*' }, { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*', Condition: { StringEquals: { 'aws:ResourceTag/TenantId': tenantId } } }];
    await aws.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'everything', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }) }));
    const { Credentials } = await aws.sts.send(new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'wide' }));
    return createPlatformClients(settings, { accessKeyId: Credentials?.AccessKeyId ?? '', secretAccessKey: Credentials?.SecretAccessKey ?? '', sessionToken: Credentials?.SessionToken ?? '' });
  };

  it("reaches what is the tenant's own, and nothing of another's or of the platform's", async () => {
    const other = await standingTenant();
    for (const { attempt } of Object.values(dataAttempts)) await attempt(aws, other);
    const wide = await assumed(other.tenantId);
    // Nobody's memory records are guarded there.
    const guarded = Object.entries(dataAttempts).filter(([name]) => !/memor|fact|record/.test(name));
    expect(guarded.length).toBeGreaterThan(15);
    for (const [name, { attempt }] of guarded) expect([name, await refusalOf(attempt(wide, other)), await refusalOf(attempt(wide, tenant))]).toEqual([name, 'done', 'dependency/denied']);
    for (const [name, attempt] of Object.entries(attempts).flatMap(([, of]) => (isUnchecked(of) ? [] : Object.entries(of)))) expect([name, await refusalOf(attempt(wide, tenant))]).toEqual([name, 'dependency/denied']);
    const { table, iam } = wide;
    expect(await refusalOf(table.send(new GetCommand({ TableName: platformResources.registryTable, Key: { tenantId: other.tenantId } })))).toBe('dependency/denied');
    expect(await refusalOf(iam.send(new PutRolePolicyCommand({ RoleName: `wide-${other.tenantId}`, PolicyName: 'more', PolicyDocument: '{}' })))).toBe('dependency/denied');
  });
});
