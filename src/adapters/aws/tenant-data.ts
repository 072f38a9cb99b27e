import { DescribeKeyCommand, type KeyMetadata, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { KeyDeletion } from '../../contracts/certificate';
import { tenantResources } from '../../contracts/names';
import type { TenantData } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { PlatformClients } from './clients';
import { ifThere } from './failures';
import { taggedKeys } from './inventory/infrastructure';
import { deleteAllVersions } from './object-versions';

const keyDeletionWindowDays = 7;

/** With the platform's credentials: the tenant's own role may be gone already. */
export function createTenantData({ aws, registry }: { aws: PlatformClients; registry: TenantRegistry }): TenantData {
  /** By the registry and by its tag: the alias goes with the stack. The registry's key comes first; as a rule it is the only one. */
  async function keysOf(tenantId: string): Promise<KeyMetadata[]> {
    const record = await registry.get(tenantId);
    const KeyId = record?.infrastructure?.keyArn ?? tenantResources(tenantId).keyAlias;
    const [known, tagged] = await Promise.all([ifThere(aws.kms.send(new DescribeKeyCommand({ KeyId }))), taggedKeys(aws, tenantId)]);
    const keys = [...(known?.KeyMetadata ? [known.KeyMetadata] : []), ...tagged.map(({ key }) => key)];
    return [...new Map(keys.map((key) => [key.Arn, key])).values()];
  }

  async function scheduleDeletion({ Arn: KeyId, DeletionDate }: KeyMetadata): Promise<KeyDeletion> {
    const date = DeletionDate ?? (await aws.kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: keyDeletionWindowDays }))).DeletionDate;
    if (!KeyId || !date) throw new Error(`KMS did not say when ${KeyId ?? 'the key'} will be deleted.`);
    return { keyArn: KeyId, deletionDate: date.toISOString() };
  }

  /** What was uploaded in part lies in the bucket, and no list of objects shows it. */
  async function abortUploads(Bucket: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const uploads = (await ifThere(aws.s3.send(new ListMultipartUploadsCommand({ Bucket }))))?.Uploads ?? [];
      if (uploads.length === 0) return;
      await Promise.all(uploads.map(({ Key, UploadId }) => ifThere(aws.s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })))));
    }
  }

  return {
    async key(tenantId) {
      const keyArn = (await registry.get(tenantId))?.infrastructure?.keyArn ?? tenantResources(tenantId).keyAlias;
      const found = await ifThere(aws.kms.send(new DescribeKeyCommand({ KeyId: keyArn })));
      return { keyArn, keyState: found?.KeyMetadata?.KeyState ?? 'Deleted', checkedAt: new Date().toISOString() };
    },

    async emptyBucket(tenantId, waiting) {
      const { bucket: Bucket } = tenantResources(tenantId);
      await abortUploads(Bucket, waiting.signal);
      await deleteAllVersions(aws.s3, { Bucket }, waiting);
    },

    async scheduleKeyDeletion(tenantId) {
      return Promise.all((await keysOf(tenantId)).map(scheduleDeletion));
    },
  };
}
