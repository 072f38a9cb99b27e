import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { LRUCache } from 'lru-cache';
import { ProbeResult } from '../../contracts/isolation';
import { objectKeys, platformResources } from '../../contracts/names';
import type { ProbeResults } from '../../ports/isolation-probe';
import type { PlatformClients } from './clients';
import { isAwsError } from './failures';
import { callerAccount } from './tenant-access';

export function createProbeResults({ s3, sts }: Pick<PlatformClients, 's3' | 'sts'>): ProbeResults {
  const bucket = new LRUCache<'name', string>({ max: 1, fetchMethod: async () => platformResources.backupBucket((await callerAccount(sts)).accountId) });
  const placeOf = async (tenantId: string) => ({ Bucket: await bucket.forceFetch('name'), Key: objectKeys.probe(tenantId) });

  return {
    async save(result) {
      await s3.send(new PutObjectCommand({ ...(await placeOf(result.tenantId)), Body: JSON.stringify(result, null, 2), ContentType: 'application/json' }));
    },

    async last(tenantId) {
      try {
        const { Body } = await s3.send(new GetObjectCommand(await placeOf(tenantId)));
        return ProbeResult.parse(JSON.parse((await Body?.transformToString()) ?? ''));
      } catch (error) {
        if (isAwsError(error, 'NoSuchKey')) return undefined;
        throw error;
      }
    },
  };
}
