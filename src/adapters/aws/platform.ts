import {
  AdminAddUserToGroupCommand,
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  type CognitoIdentityProviderClient,
  CreateGroupCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  paginateListUserPoolClients,
  paginateListUserPools,
} from '@aws-sdk/client-cognito-identity-provider';
import { type CloudWatchClient, PutMetricAlarmCommand, type PutMetricAlarmCommandInput } from '@aws-sdk/client-cloudwatch';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  PutResourcePolicyCommand,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { CreateAliasCommand, CreateKeyCommand, type CreateKeyCommandInput, DescribeKeyCommand, EnableKeyRotationCommand, type KMSClient } from '@aws-sdk/client-kms';
import {
  CreateBucketCommand,
  HeadBucketCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { groups, metrics, platformResources } from '../../contracts/names';
import type { AwsSettings, PlatformClients } from './clients';
import { isAwsError } from './failures';
import { callerAccount } from './tenant-access';
import { loadOperatorPool, type UserPool } from './token-issuers';
import { until } from './waiting';

/** Runs a creation that is fine when the thing is there already. */
async function unlessThere(creation: Promise<unknown>, ...alreadyThere: readonly string[]): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isAwsError(error, ...alreadyThere)) throw error;
  }
}

/** @param keys - the attributes of its key: partition, and what the partition is sorted by. */
async function ensureTable(table: DynamoDBDocumentClient, TableName: string, [partition, sort]: readonly [string, string?], signal: AbortSignal): Promise<string | undefined> {
  const creation = table.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [partition, ...(sort === undefined ? [] : [sort])].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [{ AttributeName: partition, KeyType: 'HASH' }, ...(sort === undefined ? [] : [{ AttributeName: sort, KeyType: 'RANGE' } as const])],
      SSESpecification: { Enabled: true, SSEType: 'KMS' },
      DeletionProtectionEnabled: true,
    }),
  );
  await unlessThere(creation, 'ResourceInUseException');
  const arn = await until({ signal, beat: () => undefined }, async () => {
    const { Table } = await table.send(new DescribeTableCommand({ TableName }));
    return Table?.TableStatus === 'ACTIVE' ? { done: Table.TableArn } : { pending: `${TableName} ${Table?.TableStatus ?? ''}` };
  });
  await until({ signal, beat: () => undefined }, async () => {
    try {
      await table.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }));
      return { done: undefined };
    } catch (error) {
      // A new table is in use before it can be backed up.
      if (isAwsError(error, 'ContinuousBackupsUnavailableException')) return { pending: `backups of ${TableName}` };
      throw error;
    }
  });
  return arn;
}

/** What nobody may do to the audit log, administrators of the account included, until they take this policy away: that is seen in CloudTrail. */
const neverOnAuditLog = ['BatchWriteItem', 'DeleteItem', 'DeleteTable', 'PartiQLDelete', 'PartiQLInsert', 'PartiQLUpdate', 'UpdateItem'].map((action) => `dynamodb:${action}`);

async function ensureAuditLog({ table, kms }: PlatformClients, signal: AbortSignal): Promise<void> {
  const TableName = platformResources.auditTable;
  const arn = await ensureTable(table, TableName, ['chain', 'sk'], signal);
  await ensureForgetting(table, TableName, 'expiresAt');
  const statement = { Sid: 'AppendOnly', Effect: 'Deny', Principal: '*', Action: neverOnAuditLog, Resource: arn };
  await table.send(new PutResourcePolicyCommand({ ResourceArn: arn, Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) }));
  await ensureKey(kms, platformResources.auditKeyAlias, { Description: 'Signs heads of audit chains', KeySpec: 'RSA_3072', KeyUsage: 'SIGN_VERIFY' });
}

/** Items whose time is over go by themselves. @param AttributeName - what holds it, in Unix seconds. */
async function ensureForgetting(table: DynamoDBDocumentClient, TableName: string, AttributeName: string): Promise<void> {
  const { TimeToLiveDescription } = await table.send(new DescribeTimeToLiveCommand({ TableName }));
  if (TimeToLiveDescription?.TimeToLiveStatus === 'ENABLED' || TimeToLiveDescription?.TimeToLiveStatus === 'ENABLING') return;
  await table.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName, Enabled: true } }));
}

async function findPool(cognito: CognitoIdentityProviderClient): Promise<string | undefined> {
  for await (const { UserPools } of paginateListUserPools({ client: cognito, pageSize: 60 }, { MaxResults: 60 }))
    for (const { Id, Name } of UserPools ?? []) if (Name === platformResources.operatorPool) return Id;
  return undefined;
}

async function findPoolClient(cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<string | undefined> {
  for await (const { UserPoolClients } of paginateListUserPoolClients({ client: cognito, pageSize: 60 }, { UserPoolId }))
    for (const { ClientId, ClientName } of UserPoolClients ?? []) if (ClientName === platformResources.operatorPoolClient) return ClientId;
  return undefined;
}

async function createPool(cognito: CognitoIdentityProviderClient): Promise<string | undefined> {
  const { UserPool } = await cognito.send(
    new CreateUserPoolCommand({
      PoolName: platformResources.operatorPool,
      UsernameAttributes: ['email'],
      UsernameConfiguration: { CaseSensitive: false },
      AutoVerifiedAttributes: ['email'],
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      DeletionProtection: 'ACTIVE',
      Policies: {
        PasswordPolicy: { MinimumLength: 14, RequireLowercase: true, RequireUppercase: true, RequireNumbers: true, RequireSymbols: true },
      },
    }),
  );
  return UserPool?.Id;
}

async function createPoolClient(cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<string | undefined> {
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId,
      ClientName: platformResources.operatorPoolClient,
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
      PreventUserExistenceErrors: 'ENABLED',
      EnableTokenRevocation: true,
    }),
  );
  return UserPoolClient?.ClientId;
}

async function ensureOperatorPool({ cognito, ssm }: PlatformClients): Promise<UserPool> {
  const userPoolId = (await findPool(cognito)) ?? (await createPool(cognito));
  if (!userPoolId) throw new Error('Cognito answered without a pool.');
  const userPoolClientId = (await findPoolClient(cognito, userPoolId)) ?? (await createPoolClient(cognito, userPoolId));
  if (!userPoolClientId) throw new Error('Cognito answered without a client.');
  const group = cognito.send(new CreateGroupCommand({ UserPoolId: userPoolId, GroupName: groups.operators, Description: 'Onboard and offboard tenants' }));
  await unlessThere(group, 'GroupExistsException');
  const pool = { userPoolId, userPoolClientId };
  await ssm.send(new PutParameterCommand({ Name: platformResources.operatorsParameter, Value: JSON.stringify(pool), Type: 'String', Overwrite: true }));
  return pool;
}

/** A key that is rotated each year. @returns its ARN. */
async function ensureSealingKey(kms: KMSClient, AliasName: string, Description: string): Promise<string> {
  const { arn, isNew } = await ensureKey(kms, AliasName, { Description });
  if (isNew) await kms.send(new EnableKeyRotationCommand({ KeyId: arn }));
  return arn;
}

/** RSA, so that anybody can check a certificate with tools at hand. It is not rotated: certificates name the key they were signed with. */
const ensureCertificateKey = (kms: KMSClient) =>
  ensureKey(kms, platformResources.certificateKeyAlias, { Description: 'Signs deletion certificates', KeySpec: 'RSA_3072', KeyUsage: 'SIGN_VERIFY' });

async function ensureKey(kms: KMSClient, AliasName: string, key: CreateKeyCommandInput): Promise<{ arn: string; isNew: boolean }> {
  try {
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: AliasName }));
    if (KeyMetadata?.Arn) return { arn: KeyMetadata.Arn, isNew: false };
  } catch (error) {
    if (!isAwsError(error, 'NotFoundException')) throw error;
  }
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(key));
  if (!KeyMetadata?.Arn) throw new Error('KMS answered without a key.');
  await kms.send(new CreateAliasCommand({ AliasName, TargetKeyId: KeyMetadata.Arn }));
  return { arn: KeyMetadata.Arn, isNew: true };
}

async function bucketExists(s3: S3Client, Bucket: string): Promise<boolean> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket }));
    return true;
  } catch (error) {
    if (isAwsError(error, 'NotFound', 'NoSuchBucket')) return false;
    throw error;
  }
}

async function ensureBackupBucket(s3: S3Client, region: string, Bucket: string, keyArn: string): Promise<void> {
  // us-east-1 is the one region that may not be named.
  const location = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } };
  if (!(await bucketExists(s3, Bucket))) await unlessThere(s3.send(new CreateBucketCommand({ Bucket, ...location })), 'BucketAlreadyOwnedByYou');
  await s3.send(
    new PutPublicAccessBlockCommand({
      Bucket,
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
    }),
  );
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const rule = { BucketKeyEnabled: true, ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyArn } } as const;
  await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } }));
}

/**
 * Rings when a figure that counts what must not be is counted anywhere. What goes on says so at least once an hour, or once a night:
 * the alarm is on until that long after the last time.
 */
async function ensureCountAlarm(cloudWatch: CloudWatchClient, alarm: Pick<PutMetricAlarmCommandInput, 'AlarmName' | 'AlarmDescription' | 'MetricName' | 'EvaluationPeriods' | 'Period'>, topicArn: string | undefined): Promise<void> {
  await cloudWatch.send(
    new PutMetricAlarmCommand({
      ...alarm,
      Namespace: metrics.namespace,
      Statistic: 'Sum',
      DatapointsToAlarm: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
      ...(topicArn !== undefined && { AlarmActions: [topicArn], OKActions: [topicArn] }),
    }),
  );
}

async function ensureAlarms(cloudWatch: CloudWatchClient, topicArn: string | undefined): Promise<void> {
  const stuck = {
    AlarmName: platformResources.stuckAlarm,
    AlarmDescription: 'An operation is stuck: tenure operation list --stuck. See docs/runbooks.md.',
    MetricName: metrics.stuckOperations,
    // 75 minutes.
    Period: 300,
    EvaluationPeriods: 15,
  };
  const breaches = {
    AlarmName: platformResources.isolationAlarm,
    AlarmDescription: 'A tenant got at another: tenure maintenance reports isolation_probe --details. See docs/runbooks.md.',
    MetricName: metrics.isolationBreaches,
    // CloudWatch looks back a day at most.
    Period: 3_600,
    EvaluationPeriods: 24,
  };
  await ensureCountAlarm(cloudWatch, stuck, topicArn);
  await ensureCountAlarm(cloudWatch, breaches, topicArn);
}

/** What the platform itself owns in AWS: registry, access table, audit log, operators' pool, backup bucket and key, certificate key, alarms. Idempotent. */
export async function ensurePlatform(aws: PlatformClients, settings: AwsSettings & { readonly alarmTopicArn?: string | undefined }, signal: AbortSignal): Promise<UserPool> {
  const { accountId } = await callerAccount(aws.sts);
  await ensureTable(aws.table, platformResources.registryTable, ['tenantId'], signal);
  await ensureTable(aws.table, platformResources.accessTable, ['owner', 'entry'], signal);
  await ensureForgetting(aws.table, platformResources.accessTable, 'forgetAtSeconds');
  await ensureAuditLog(aws, signal);
  const backupKeyArn = await ensureSealingKey(aws.kms, platformResources.backupKeyAlias, 'Backups of tenants, also after they have left');
  await ensureBackupBucket(aws.s3, settings.region, platformResources.backupBucket(accountId), backupKeyArn);
  await ensureSealingKey(aws.kms, platformResources.historyKeyAlias, 'Workflow histories of operations on tenants, also after they have left');
  await ensureAlarms(aws.cloudWatch, settings.alarmTopicArn);
  await ensureCertificateKey(aws.kms);
  return ensureOperatorPool(aws);
}

/** An operator who can log in at once; an existing one gets the password. */
export async function ensureOperator({ cognito, ssm }: PlatformClients, { email, password }: { email: string; password: string }): Promise<UserPool> {
  const pool = await loadOperatorPool({ ssm });
  const who = { UserPoolId: pool.userPoolId, Username: email };
  const attributes = [
    { Name: 'email', Value: email },
    { Name: 'email_verified', Value: 'true' },
  ];
  await unlessThere(cognito.send(new AdminCreateUserCommand({ ...who, UserAttributes: attributes, TemporaryPassword: password, MessageAction: 'SUPPRESS' })), 'UsernameExistsException');
  await cognito.send(new AdminSetUserPasswordCommand({ ...who, Password: password, Permanent: true }));
  await cognito.send(new AdminAddUserToGroupCommand({ ...who, GroupName: groups.operators }));
  return pool;
}
