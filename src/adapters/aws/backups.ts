import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { LRUCache } from 'lru-cache';
import { BackupManifest, type BackupPart } from '../../contracts/backup';
import { DomainError } from '../../contracts/errors';
import { objectKeys, platformResources } from '../../contracts/names';
import type { Backups } from '../../ports/backups';
import type { Waiting } from '../../ports/provisioning';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { openFrames, sealFrames } from './backup-frames';
import { type BackupSource, type BackupSourceDeps, backupSources } from './backup-sources';
import type { PlatformClients } from './clients';
import { createEnvelope } from './envelope';
import { isAwsError } from './failures';
import { callerAccount } from './tenant-access';

const uploadPartBytes = 8 * 1_024 * 1_024;
const beatEveryRecords = 500;
const manifestName = 'manifest.json';

interface Dependencies extends BackupSourceDeps {
  readonly aws: PlatformClients;
  readonly directory: TenantDirectory;
}

/** Backups in the platform's bucket, sealed under the platform's backup key; docs/backup-format.md has the format. */
export function createBackups(deps: Dependencies): Backups {
  const { aws, directory } = deps;
  const envelope = createEnvelope({ kms: () => aws.kms, keyId: () => Promise.resolve(platformResources.backupKeyAlias), keyContext: { purpose: 'backup' } });
  const bucket = new LRUCache<'name', string>({ max: 1, fetchMethod: async () => platformResources.backupBucket((await callerAccount(aws.sts)).accountId) });
  const place = (tenantId: string, backupId: string, part: string) => ({ tenant: tenantId, backup: backupId, part });

  async function writePart(source: BackupSource, tenantId: string, backupId: string, waiting: Waiting): Promise<BackupPart> {
    const tally = new Tally();
    const frames = sealFrames(envelope, place(tenantId, backupId, source.name), tally.through(linesOf(source, waiting)));
    const upload = new Upload({
      client: aws.s3,
      partSize: uploadPartBytes,
      queueSize: 1,
      params: { Bucket: await bucket.forceFetch('name'), Key: objectKeys.backup(tenantId, backupId, source.name), Body: Readable.from(frames) },
    });
    await upload.done();
    return { name: source.name, ...tally.result() };
  }

  async function readObject(tenantId: string, backupId: string, name: string): Promise<AsyncIterable<Uint8Array>> {
    try {
      const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket: await bucket.forceFetch('name'), Key: objectKeys.backup(tenantId, backupId, name) }));
      return Body as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (!isAwsError(error, 'NoSuchKey')) throw error;
      throw incomplete(`${name} is missing`, error);
    }
  }

  async function readBack(tenantId: string, backupId: string, { name }: BackupPart, waiting: Waiting): Promise<Omit<BackupPart, 'name'>> {
    const tally = new Tally();
    const sealed = await readObject(tenantId, backupId, name);
    try {
      await drained(tally.through(openFrames(envelope, place(tenantId, backupId, name), sealed)), waiting.signal);
    } catch (error) {
      if (waiting.signal.aborted || error instanceof DomainError) throw error;
      throw incomplete(`${name} cannot be opened`, error);
    }
    waiting.beat(`${name} read back`);
    return tally.result();
  }

  return {
    async take(tenantId, backupId, waiting) {
      const parts: BackupPart[] = [];
      for (const source of backupSources(deps, await directory.built(tenantId))) parts.push(await writePart(source, tenantId, backupId, waiting));
      const manifest: BackupManifest = { format: 'tenure-backup/1', backupId, tenantId, createdAt: new Date().toISOString(), parts };
      // Last: a backup without a manifest is none.
      await aws.s3.send(
        new PutObjectCommand({
          Bucket: await bucket.forceFetch('name'),
          Key: objectKeys.backup(tenantId, backupId, manifestName),
          Body: JSON.stringify(manifest, null, 2),
          ContentType: 'application/json',
        }),
      );
      return manifest;
    },

    async verify(tenantId, backupId, waiting) {
      const manifest = BackupManifest.parse(JSON.parse(await textOf(await readObject(tenantId, backupId, manifestName))));
      for (const part of manifest.parts) {
        const found = await readBack(tenantId, backupId, part, waiting);
        if (found.records !== part.records || found.sha256 !== part.sha256 || found.bytes !== part.bytes)
          throw incomplete(`${part.name} holds ${found.records} records, ${part.records} were written; their hashes ${found.sha256 === part.sha256 ? 'agree' : 'differ'}`);
      }
      for (const source of backupSources(deps, await directory.built(tenantId))) {
        const tally = new Tally();
        await drained(tally.through(linesOf(source, waiting)), waiting.signal);
        const kept = manifest.parts.find(({ name }) => name === source.name)?.records;
        if (tally.result().records !== kept) throw incomplete(`${source.name} holds ${kept ?? 'no'} records, the tenant has ${tally.result().records}`);
      }
      return manifest;
    },
  };
}

async function* linesOf({ name, records }: BackupSource, { signal, beat }: Waiting): AsyncGenerator<Buffer> {
  let count = 0;
  for await (const record of records()) {
    signal.throwIfAborted();
    if (++count % beatEveryRecords === 0) beat(`${name}: ${count} records`);
    yield Buffer.from(`${JSON.stringify(record)}\n`);
  }
}

/** Lets all of it flow by. */
async function drained(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true) signal.throwIfAborted();
}

/** Counts and hashes what flows through. */
class Tally {
  private readonly hash = createHash('sha256');
  private records = 0;
  private bytes = 0;

  async *through<Chunk extends Uint8Array>(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    for await (const chunk of chunks) {
      this.hash.update(chunk);
      this.bytes += chunk.byteLength;
      for (const byte of chunk) if (byte === newline) this.records += 1;
      yield chunk;
    }
  }

  result(): Omit<BackupPart, 'name'> {
    return { records: this.records, bytes: this.bytes, sha256: this.hash.copy().digest('hex') };
  }
}

const newline = 0x0a;

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString('utf8');
}

const incomplete = (what: string, cause?: unknown) => new DomainError('backup/incomplete', `The backup is not complete: ${what}. Take it again.`, { cause });
