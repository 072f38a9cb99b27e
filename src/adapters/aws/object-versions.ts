import { DeleteObjectsCommand, ListObjectVersionsCommand, type ObjectIdentifier, type S3Client } from '@aws-sdk/client-s3';
import type { Waiting } from '../../ports/provisioning';
import { ifThere } from './failures';

/** Removes every version of every object that begins so; fine when the bucket is gone. */
export async function deleteAllVersions(s3: S3Client, { Bucket, Prefix }: { Bucket: string; Prefix?: string }, { signal, beat }: Waiting): Promise<void> {
  // What was listed is gone by the next look, so each look begins at the start.
  for (let count = 0; ; ) {
    signal.throwIfAborted();
    const versions = await versionsIn(s3, { Bucket, ...(Prefix !== undefined && { Prefix }) });
    if (versions.length === 0) return;
    await deleteObjects(s3, Bucket, versions);
    count += versions.length;
    beat(`${Bucket}: ${count} versions deleted`);
  }
}

/** At most 1,000, which is what one deletion takes. */
async function versionsIn(s3: S3Client, where: { Bucket: string; Prefix?: string }): Promise<ObjectIdentifier[]> {
  const page = await ifThere(s3.send(new ListObjectVersionsCommand({ ...where, MaxKeys: 1_000 })));
  return [...(page?.Versions ?? []), ...(page?.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
}

async function deleteObjects(s3: S3Client, Bucket: string, Objects: ObjectIdentifier[]): Promise<void> {
  const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  const [refused] = Errors ?? [];
  if (refused) throw new Error(`${Bucket}: ${refused.Key ?? ''} was not deleted: ${refused.Code ?? ''} ${refused.Message ?? ''}`);
}
