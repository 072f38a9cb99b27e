import { DeleteObjectsCommand, GetObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import { LRUCache } from 'lru-cache';
import { MaintenanceReport } from '../../contracts/maintenance';
import { objectKeys, platformResources } from '../../contracts/names';
import type { Reports } from '../../ports/reports';
import type { PlatformClients } from './clients';
import { decodeCursor, encodeCursor } from './cursors';
import { callerAccount } from './tenant-access';

/** Of each job. A year of nights. */
const keptReports = 400;

export function createReports({ s3, sts }: PlatformClients): Reports {
  const bucket = new LRUCache<'name', string>({ max: 1, fetchMethod: async () => platformResources.backupBucket((await callerAccount(sts)).accountId) });

  /** Newest first. Keys of one job sort by time. */
  async function keysOf(Bucket: string, name: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { Contents } of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: objectKeys.reports(name) })) keys.push(...(Contents ?? []).flatMap(({ Key }) => Key ?? []));
    return keys.reverse();
  }

  async function read(Bucket: string, Key: string): Promise<MaintenanceReport> {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return MaintenanceReport.parse(JSON.parse((await Body?.transformToString()) ?? ''));
  }

  return {
    async save(report) {
      const Bucket = await bucket.forceFetch('name');
      await s3.send(
        new PutObjectCommand({ Bucket, Key: objectKeys.report(report.name, report.startedAt), Body: JSON.stringify(report, null, 2), ContentType: 'application/json' }),
      );
      const old = (await keysOf(Bucket, report.name)).slice(keptReports, keptReports + 1_000);
      if (old.length > 0) await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: old.map((Key) => ({ Key })), Quiet: true } }));
    },

    async list(name, { limit, cursor }) {
      const Bucket = await bucket.forceFetch('name');
      const before = cursor === undefined ? undefined : objectKeys.report(name, decodeCursor(cursor, 'reports'));
      const keys = (await keysOf(Bucket, name)).filter((key) => before === undefined || key < before);
      const reports = await Promise.all(keys.slice(0, limit).map((key) => read(Bucket, key)));
      const last = reports.at(-1);
      return { reports, ...(keys.length > limit && last && { nextCursor: encodeCursor(last.startedAt) }) };
    },
  };
}
