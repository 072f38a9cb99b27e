import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { DescribeKeyCommand, type KeyMetadata, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { DeleteObjectsCommand, HeadBucketCommand, ListObjectVersionsCommand, type ObjectIdentifier } from '@aws-sdk/client-s3';
import { GetParametersByPathCommand } from '@aws-sdk/client-ssm';
import { tenantResources } from '../../contracts/names';
import type { TenantData } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { PlatformClients } from './clients';
import { isAwsError } from './failures';
import { findMemoryId } from './tenant-memories';

const keyDeletionWindowDays = 7;

/** How each service says that there is no such thing. */
const absences = ['NoSuchBucket', 'NotFound', 'NotFoundException', 'ResourceNotFoundException', 'ValidationError'] as const;

/** The answer, or undefined when the thing asked for is not there. */
async function ifThere<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isAwsError(error, ...absences)) return undefined;
    throw error;
  }
}

/** With the platform's credentials: the tenant's own role may be gone already. */
export function createTenantData({ aws, registry }: { aws: PlatformClients; registry: TenantRegistry }): TenantData {
  /** By the registry, since the alias goes with the stack. */
  async function findKey(tenantId: string): Promise<KeyMetadata | undefined> {
    const record = await registry.get(tenantId);
    const KeyId = record?.infrastructure?.keyArn ?? tenantResources(tenantId).keyAlias;
    return (await ifThere(aws.kms.send(new DescribeKeyCommand({ KeyId }))))?.KeyMetadata;
  }

  /** At most 1,000, which is what one deletion takes. */
  async function versionsIn(Bucket: string): Promise<ObjectIdentifier[]> {
    const page = await ifThere(aws.s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1_000 })));
    return [...(page?.Versions ?? []), ...(page?.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
  }

  async function deleteObjects(Bucket: string, Objects: ObjectIdentifier[]): Promise<void> {
    const { Errors } = await aws.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    const [refused] = Errors ?? [];
    if (refused) throw new Error(`${Bucket}: ${refused.Key ?? ''} was not deleted: ${refused.Code ?? ''} ${refused.Message ?? ''}`);
  }

  return {
    async emptyBucket(tenantId, { signal, beat }) {
      const Bucket = tenantResources(tenantId).bucket;
      // What was listed is gone by the next look, so each look begins at the start.
      for (let count = 0; ; ) {
        signal.throwIfAborted();
        const versions = await versionsIn(Bucket);
        if (versions.length === 0) return;
        await deleteObjects(Bucket, versions);
        count += versions.length;
        beat(`${Bucket}: ${count} versions deleted`);
      }
    },

    async scheduleKeyDeletion(tenantId) {
      const key = await findKey(tenantId);
      if (!key?.Arn) return undefined;
      const deletionDate =
        key.DeletionDate ?? (await aws.kms.send(new ScheduleKeyDeletionCommand({ KeyId: key.Arn, PendingWindowInDays: keyDeletionWindowDays }))).DeletionDate;
      if (!deletionDate) throw new Error(`KMS did not say when ${key.Arn} will be deleted.`);
      return { keyArn: key.Arn, deletionDate: deletionDate.toISOString() };
    },

    async remains(tenantId) {
      const names = tenantResources(tenantId);
      const poolId = (await registry.get(tenantId))?.infrastructure?.userPoolId;
      const found = await Promise.all([
        ifThere(aws.cloudFormation.send(new DescribeStacksCommand({ StackName: names.stack }))).then((it) => it && `cloudformation:${names.stack}`),
        ifThere(aws.table.send(new DescribeTableCommand({ TableName: names.table }))).then((it) => it && `dynamodb:${names.table}`),
        ifThere(aws.s3.send(new HeadBucketCommand({ Bucket: names.bucket }))).then((it) => it && `s3:${names.bucket}`),
        poolId && ifThere(aws.cognito.send(new DescribeUserPoolCommand({ UserPoolId: poolId }))).then((it) => it && `cognito:${names.userPool}`),
        findKey(tenantId).then((key) => key && !key.DeletionDate && `kms:${key.Arn ?? names.keyAlias}`),
        findMemoryId(aws.agentCoreControl, names.memory).then((id) => id && `agentcore:${id}`),
        aws.logs
          .send(new DescribeLogGroupsCommand({ logGroupNamePrefix: names.logGroup }))
          .then(({ logGroups }) => logGroups?.some(({ logGroupName }) => logGroupName === names.logGroup) && `logs:${names.logGroup}`),
        aws.ssm
          .send(new GetParametersByPathCommand({ Path: names.parameterPrefix, Recursive: true }))
          .then(({ Parameters }) => Parameters?.length && `ssm:${names.parameterPrefix}`),
      ]);
      return found.filter((name) => typeof name === 'string');
    },
  };
}
