import { createHash } from 'node:crypto';
import { GetObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import { LRUCache } from 'lru-cache';
import { platformResources } from '../../contracts/names';
import type { PlatformClients } from './clients';
import { isAwsError } from './failures';
import { callerAccount } from './tenant-access';

/** An object of the platform's bucket, read. */
export interface KeptText {
  readonly text: string;
  /** `s3://bucket/key` */
  readonly location: string;
  /** Hex. */
  readonly sha256: string;
  readonly storedAt: string;
}

/** JSON in the platform's bucket that is written once: two who write at the same time both read what the first one wrote. */
export function createKeptObjects({ s3, sts }: Pick<PlatformClients, 's3' | 'sts'>) {
  const bucket = new LRUCache<'name', string>({ max: 1, fetchMethod: async () => platformResources.backupBucket((await callerAccount(sts)).accountId) });

  async function read(Key: string): Promise<KeptText | undefined> {
    const Bucket = await bucket.forceFetch('name');
    try {
      const { Body, LastModified } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      return {
        text: bytes.toString('utf8'),
        location: `s3://${Bucket}/${Key}`,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        storedAt: (LastModified ?? new Date()).toISOString(),
      };
    } catch (error) {
      if (isAwsError(error, 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  return {
    read,

    /** Writes what is not there yet, and reads what is there. */
    async keepOnce(Key: string, value: unknown): Promise<KeptText> {
      const Body = JSON.stringify(value, null, 2);
      const put = new PutObjectCommand({ Bucket: await bucket.forceFetch('name'), Key, Body, ContentType: 'application/json', IfNoneMatch: '*' });
      try {
        await s3.send(put);
      } catch (error) {
        if (!isAwsError(error, 'PreconditionFailed', 'ConditionalRequestConflict')) throw error;
      }
      const kept = await read(Key);
      if (!kept) throw new Error(`${Key} was written and cannot be read.`);
      return kept;
    },

    /** Keys under a prefix that end so, the newest first. */
    async newest(Prefix: string, suffix: string): Promise<string[]> {
      const found: { key: string; at: number }[] = [];
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: await bucket.forceFetch('name'), Prefix }))
        for (const { Key = '', LastModified } of page.Contents ?? []) if (Key.endsWith(suffix)) found.push({ key: Key, at: LastModified?.getTime() ?? 0 });
      return found.sort((a, b) => b.at - a.at).map(({ key }) => key);
    },
  };
}

export type KeptObjects = ReturnType<typeof createKeptObjects>;
