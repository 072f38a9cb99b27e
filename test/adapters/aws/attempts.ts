import { DeleteStackCommand, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DeleteAlarmsCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { DescribeLogStreamsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { AdminCreateUserCommand, DescribeUserPoolClientCommand, DescribeUserPoolCommand, ListUsersCommand } from '@aws-sdk/client-cognito-identity-provider';
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, GenerateDataKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { DeleteParameterCommand, GetParameterCommand, GetParametersByPathCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { BatchWriteCommand, DeleteCommand, GetCommand, PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { PlatformClients } from '../../../src/adapters/aws/clients';
import { type AccessPurpose, tenantResources, type TenantResource } from '../../../src/contracts/names';
import type { ServedTenant } from '../../../src/contracts/tenant';

/** Tries something on a tenant with whatever credentials the clients have. */
export type Attempt = (clients: PlatformClients, on: ServedTenant) => Promise<unknown>;

/** Something that the data of a tenant can undergo, and the purposes that may do it to their own tenant's. */
export interface DataAttempt {
  readonly attempt: Attempt;
  readonly mayBy: readonly AccessPurpose[];
  /** Reads what the tenant has put there. */
  readonly reads?: boolean;
}

const key = { pk: 'SESSION#a', sk: 'RECORD' };
const batchObject = 'sessions/a/b';
/** Something that the key has encrypted; the emulator reads the key's id out of it. */
const sealedBy = (keyArn: string) => Buffer.from(keyArn);

const named = (tenant: ServedTenant) => tenantResources(tenant.tenantId);
const reading: readonly AccessPurpose[] = ['session-read', 'session-step', 'approvals', 'usage', 'backup', 'erase'];

const table: Readonly<Record<string, DataAttempt>> = {
  'writes an item': { mayBy: ['session-step', 'approvals', 'usage', 'erase'], attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new PutCommand({ TableName: tableName, Item: key })) },
  'reads an item': { reads: true, mayBy: reading, attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new GetCommand({ TableName: tableName, Key: key })) },
  'queries the table': {
    reads: true,
    mayBy: reading,
    attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new QueryCommand({ TableName: tableName, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': key.pk } })),
  },
  'scans the table': { reads: true, mayBy: ['backup', 'erase'], attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new ScanCommand({ TableName: tableName })) },
  'writes many items': {
    mayBy: ['restore', 'erase'],
    attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new BatchWriteCommand({ RequestItems: { [tableName]: [{ PutRequest: { Item: key } }] } })),
  },
  'deletes an item': { mayBy: ['approvals', 'usage', 'erase'], attempt: ({ table }, { infrastructure: { tableName } }) => table.send(new DeleteCommand({ TableName: tableName, Key: key })) },
};

const bucket: Readonly<Record<string, DataAttempt>> = {
  'writes an object': { mayBy: ['restore'], attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new PutObjectCommand({ Bucket: bucketName, Key: 'a', Body: 'a' })) },
  'reads an object': { reads: true, mayBy: ['backup'], attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new GetObjectCommand({ Bucket: bucketName, Key: 'a' })) },
  'writes a batch of events': { mayBy: ['session-step', 'restore'], attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new PutObjectCommand({ Bucket: bucketName, Key: batchObject, Body: 'a' })) },
  'reads a batch of events': {
    reads: true,
    mayBy: ['session-read', 'session-step', 'backup'],
    attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new GetObjectCommand({ Bucket: bucketName, Key: batchObject })),
  },
  'lists the bucket': { mayBy: ['session-read', 'backup'], attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new ListObjectsV2Command({ Bucket: bucketName })) },
  'deletes an object': { mayBy: [], attempt: ({ s3 }, { infrastructure: { bucketName } }) => s3.send(new DeleteObjectCommand({ Bucket: bucketName, Key: 'gone' })) },
};

const ofKey: Readonly<Record<string, DataAttempt>> = {
  'makes a data key': { reads: true, mayBy: ['encryption'], attempt: ({ kms }, { infrastructure: { keyArn } }) => kms.send(new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256' })) },
  'encrypts with the key': { mayBy: [], attempt: ({ kms }, { infrastructure: { keyArn } }) => kms.send(new EncryptCommand({ KeyId: keyArn, Plaintext: Buffer.from('a') })) },
};

const ofParameters: Readonly<Record<string, DataAttempt>> = {
  'writes a parameter': {
    mayBy: ['config-write', 'restore'],
    attempt: ({ ssm }, tenant) => ssm.send(new PutParameterCommand({ Name: named(tenant).agentParameter, Value: '{}', Type: 'SecureString', KeyId: tenant.infrastructure.keyArn, Overwrite: true })),
  },
  'reads a parameter': { reads: true, mayBy: ['config-read', 'backup'], attempt: ({ ssm }, tenant) => ssm.send(new GetParameterCommand({ Name: named(tenant).agentParameter, WithDecryption: true })) },
  'deletes a parameter': {
    mayBy: ['erase'],
    attempt: async ({ ssm }, tenant) => {
      await ssm.send(new DeleteParameterCommand({ Name: `${named(tenant).parameterPrefix}gone` })).catch((error: unknown) => {
        if (!(error instanceof Error) || error.name !== 'ParameterNotFound') throw error;
      });
    },
  },
};

/** What a tenant's own role can do with its tenant's data, in an order that works. */
export const dataAttempts: Readonly<Record<string, DataAttempt>> = { ...table, ...bucket, ...ofKey, ...ofParameters };

const attemptsOf = (all: Readonly<Record<string, DataAttempt>>): Readonly<Record<string, Attempt>> => Object.fromEntries(Object.entries(all).map(([name, { attempt }]) => [name, attempt]));

const onAlarm = (kind: TenantResource): Readonly<Record<string, Attempt>> => ({
  [`deletes ${kind}`]: ({ cloudWatch }, tenant) => cloudWatch.send(new DeleteAlarmsCommand({ AlarmNames: [named(tenant)[kind]] })),
  [`silences ${kind}`]: ({ cloudWatch }, tenant) => cloudWatch.send(new SetAlarmStateCommand({ AlarmName: named(tenant)[kind], StateValue: 'OK', StateReason: 'silenced' })),
});

/** A kind whose policies the emulator does not check. */
export interface Unchecked {
  readonly service: string;
}
export type Tries = Readonly<Record<string, Attempt>> | Unchecked;
export const isUnchecked = (tries: Tries): tries is Unchecked => typeof tries['service'] === 'string';

/**
 * What can be tried on each kind of thing a tenant owns; or, of a kind whose policies the emulator does not check, the service under
 * which the tenant's role must name nothing but its own memory. A kind that is new in contracts/names has no row: that is a type error.
 */
export const attempts: Readonly<Record<TenantResource, Tries>> = {
  table: attemptsOf(table),
  bucket: attemptsOf(bucket),
  keyAlias: {
    ...attemptsOf(ofKey),
    'describes the key': ({ kms }, { infrastructure: { keyArn } }) => kms.send(new DescribeKeyCommand({ KeyId: keyArn })),
    'decrypts with the key': ({ kms }, { infrastructure: { keyArn } }) => kms.send(new DecryptCommand({ KeyId: keyArn, CiphertextBlob: sealedBy(keyArn) })),
    'has the key deleted': ({ kms }, { infrastructure: { keyArn } }) => kms.send(new ScheduleKeyDeletionCommand({ KeyId: keyArn })),
  },
  parameterPrefix: { 'reads all parameters': ({ ssm }, tenant) => ssm.send(new GetParametersByPathCommand({ Path: named(tenant).parameterPrefix.replace(/\/$/, ''), Recursive: true, WithDecryption: true })) },
  agentParameter: attemptsOf(ofParameters),
  role: {
    'assumes the role': ({ sts }, { infrastructure: { roleArn: RoleArn }, tenantId }) =>
      sts.send(
        new AssumeRoleCommand({
          RoleArn,
          RoleSessionName: `tenure-${tenantId}@backup`,
          Tags: [
            { Key: 'TenantId', Value: tenantId },
            { Key: 'Purpose', Value: 'backup' },
          ],
        }),
      ),
  },
  logGroup: {
    'reads the log': ({ logs }, tenant) => logs.send(new FilterLogEventsCommand({ logGroupName: named(tenant).logGroup })),
    'lists the streams': ({ logs }, tenant) => logs.send(new DescribeLogStreamsCommand({ logGroupName: named(tenant).logGroup })),
  },
  stack: {
    'reads the stack': ({ cloudFormation }, tenant) => cloudFormation.send(new DescribeStacksCommand({ StackName: named(tenant).stack })),
    'deletes the stack': ({ cloudFormation }, tenant) => cloudFormation.send(new DeleteStackCommand({ StackName: named(tenant).stack })),
  },
  userPool: {
    'lists the users': ({ cognito }, { infrastructure: { userPoolId } }) => cognito.send(new ListUsersCommand({ UserPoolId: userPoolId })),
    'adds a user': ({ cognito }, { infrastructure: { userPoolId } }) => cognito.send(new AdminCreateUserCommand({ UserPoolId: userPoolId, Username: 'intruder@example.org' })),
    'reads the pool': ({ cognito }, { infrastructure: { userPoolId } }) => cognito.send(new DescribeUserPoolCommand({ UserPoolId: userPoolId })),
  },
  userPoolClient: {
    'reads the client': ({ cognito }, { infrastructure: { userPoolId, userPoolClientId } }) => cognito.send(new DescribeUserPoolClientCommand({ UserPoolId: userPoolId, ClientId: userPoolClientId })),
  },
  alarm: onAlarm('alarm'),
  throttleAlarm: onAlarm('throttleAlarm'),
  backlogAlarm: onAlarm('backlogAlarm'),
  stuckAlarm: onAlarm('stuckAlarm'),
  tableAlarm: onAlarm('tableAlarm'),
  scalingPolicy: { service: 'application-autoscaling' },
  memory: { service: 'bedrock-agentcore' },
  runtime: { service: 'bedrock-agentcore' },
  gateway: { service: 'bedrock-agentcore' },
  workloadIdentity: { service: 'bedrock-agentcore' },
  credentialProvider: { service: 'bedrock-agentcore' },
};
