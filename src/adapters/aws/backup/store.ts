import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip, gzip } from 'node:zlib';
import { GetObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import { LRUCache } from 'lru-cache';
import { BackupManifest, type BackupPart, BackupVerification } from '../../../contracts/backup';
import { DomainError } from '../../../contracts/errors';
import { isReservedTenantId, objectKeys, platformResources, tenantIdPattern } from '../../../contracts/names';
import type { CipherContext } from '../../../ports/cipher';
import type { Waiting } from '../../../ports/provisioning';
import type { PlatformClients } from '../clients';
import { stableJson } from '../../../domain/backup-content';
import { createEnvelope } from '../envelope';
import { isAwsError } from '../failures';
import { deleteAllVersions } from '../object-versions';
import { callerAccount } from '../tenant-access';
import { openFrames, sealFrames } from './frames';

const manifestName = 'manifest.json';
const verificationName = 'verification.json';
const gzipped = promisify(gzip);

export interface BackupRef {
  readonly tenantId: string;
  readonly backupId: string;
}

export type BackupStore = ReturnType<typeof createBackupStore>;

const placeOf = ({ tenantId, backupId }: BackupRef, part: string) => ({ tenant: tenantId, backup: backupId, part });
const keyOf = ({ tenantId, backupId }: BackupRef, name: string) => objectKeys.backup(tenantId, backupId, name);

/** Objects of the platform's backup bucket. */
function createBucket(aws: PlatformClients) {
  const names = new LRUCache<'bucket', string>({ max: 1, fetchMethod: async () => platformResources.backupBucket((await callerAccount(aws.sts)).accountId) });
  const bucket = () => names.forceFetch('bucket');

  async function get(Key: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    try {
      return (await aws.s3.send(new GetObjectCommand({ Bucket: await bucket(), Key }))).Body as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (isAwsError(error, 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  async function put(Key: string, Body: Buffer, ContentType = 'application/octet-stream'): Promise<void> {
    await aws.s3.send(new PutObjectCommand({ Bucket: await bucket(), Key, Body, ContentType }));
  }

  /** What is no JSON reads as `null`, which no schema takes. */
  async function getJson(Key: string): Promise<unknown> {
    const body = await get(Key);
    return body && parsed((await collected(body)).toString('utf8'));
  }

  async function folders(Prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { CommonPrefixes } of paginateListObjectsV2({ client: aws.s3 }, { Bucket: await bucket(), Prefix, Delimiter: '/' }))
      found.push(...(CommonPrefixes ?? []).map((folder) => (folder.Prefix ?? '').slice(Prefix.length, -1)));
    return found;
  }

  return {
    name: bucket,
    get,
    put,
    getJson,

    /** Ids of all the tenant's backups, those without a manifest included. */
    ids: (tenantId: string) => folders(objectKeys.backupsOf(tenantId)),

    async lastWrittenAt(Prefix: string): Promise<string | undefined> {
      const times: number[] = [];
      for await (const { Contents } of paginateListObjectsV2({ client: aws.s3 }, { Bucket: await bucket(), Prefix })) times.push(...(Contents ?? []).map(({ LastModified }) => LastModified?.getTime() ?? 0));
      return times.length === 0 ? undefined : new Date(Math.max(...times)).toISOString();
    },

    /** Who has a folder of backups. */
    tenantIds: async () => (await folders('')).filter((folder) => tenantIdPattern.test(folder) && !isReservedTenantId(folder)).sort(),

    /** Deletes what begins so, with all its versions; the manifest first, so that what is half deleted is no backup. */
    async delete(prefix: string, waiting: Waiting = unwatched): Promise<void> {
      const Bucket = await bucket();
      await deleteAllVersions(aws.s3, { Bucket, Prefix: `${prefix}${manifestName}` }, waiting);
      await deleteAllVersions(aws.s3, { Bucket, Prefix: prefix }, waiting);
    },
  };
}

/** The platform's backup bucket, sealed under the platform's backup key; docs/backup-format.md has the format. */
export function createBackupStore(aws: PlatformClients) {
  const envelope = createEnvelope({ kms: () => aws.kms, keyId: () => Promise.resolve(platformResources.backupKeyAlias), keyContext: { purpose: 'backup' } });
  const bucket = createBucket(aws);
  const { get, put, getJson } = bucket;

  /** The manifest, as it was written: another tenant's, another backup's or a changed one is refused. */
  async function manifestOf(ref: BackupRef): Promise<BackupManifest | undefined> {
    const json = await getJson(keyOf(ref, manifestName));
    if (json === undefined) return undefined;
    const { data: manifest } = BackupManifest.safeParse(json);
    if (!manifest) throw incomplete('its manifest cannot be read');
    if (manifest.tenantId !== ref.tenantId || manifest.backupId !== ref.backupId)
      throw incomplete(`its manifest is that of ${manifest.tenantId}/${manifest.backupId}`);
    if (manifest.format === 'tenure-backup/2' && !(await hasItsSeal(ref, manifest))) throw incomplete('its manifest was changed');
    return manifest;
  }

  async function hasItsSeal(ref: BackupRef, { seal, ...sealed }: BackupManifest & { seal: string }): Promise<boolean> {
    const digest = await envelope.open(contextOf.manifest(ref), Buffer.from(seal, 'base64')).catch(undefinedIfChanged);
    return digest !== undefined && digestOf(sealed).equals(digest);
  }

  return {
    manifestOf,

    /** Last: a backup without a manifest is none. */
    async putManifest(ref: BackupRef, manifest: Omit<Extract<BackupManifest, { format: 'tenure-backup/2' }>, 'seal'>): Promise<BackupManifest> {
      const seal = Buffer.from(await envelope.seal(contextOf.manifest(ref), digestOf(manifest))).toString('base64');
      await put(keyOf(ref, manifestName), Buffer.from(JSON.stringify({ ...manifest, seal }, null, 2)), 'application/json');
      return { ...manifest, seal };
    },

    /** One that cannot be read is none: the backup can be verified again. */
    async verificationOf(ref: BackupRef): Promise<BackupVerification | undefined> {
      return BackupVerification.safeParse(await getJson(keyOf(ref, verificationName))).data;
    },

    async putVerification(ref: BackupRef, verification: BackupVerification): Promise<void> {
      await put(keyOf(ref, verificationName), Buffer.from(JSON.stringify(verification)), 'application/json');
    },

    /** Compresses and seals a part. @returns its size in the bucket. */
    async putPart(ref: BackupRef, name: string, plain: Buffer): Promise<number> {
      const compressed = await gzipped(plain);
      const sealed = await collected(sealFrames(envelope, placeOf(ref, name), Readable.from([compressed])));
      await put(keyOf(ref, name), sealed);
      return sealed.byteLength;
    },

    /** The plain JSON Lines of a part, as slowly as they are taken. @throws DomainError `backup/incomplete` when it is missing, changed, or another's. */
    async *readPart(ref: BackupRef, { name }: Pick<BackupPart, 'name'>): AsyncGenerator<Uint8Array> {
      const sealed = await get(keyOf(ref, name));
      if (!sealed) throw incomplete(`${name} is missing`);
      const isCompressed = name.endsWith('.gz');
      try {
        // Whole: pauses in which lines are written away would pass for S3's silence. Parts of the first format are too long for that.
        const opened = openFrames(envelope, placeOf(ref, name), isCompressed ? [await collected(sealed)] : sealed);
        yield* isCompressed ? unzipped(opened) : opened;
      } catch (error) {
        if (error instanceof DomainError) throw error;
        throw incomplete(`${name} cannot be opened`, error);
      }
    },

    /** Something small to go on from after a kill, sealed. */
    async putNote(Key: string, context: CipherContext, note: unknown): Promise<void> {
      await put(Key, Buffer.from(await envelope.seal({ purpose: 'backup-note', ...context }, Buffer.from(JSON.stringify(note)))));
    },

    async noteAt(Key: string, context: CipherContext): Promise<unknown> {
      const body = await get(Key);
      return body && (JSON.parse(Buffer.from(await envelope.open({ purpose: 'backup-note', ...context }, await collected(body))).toString('utf8')) as unknown);
    },
    ids: (tenantId: string) => bucket.ids(tenantId),

    /** ISO; undefined when there is nothing of it. */
    lastWrittenAt: ({ tenantId, backupId }: BackupRef) => bucket.lastWrittenAt(objectKeys.backup(tenantId, backupId, '')),

    locationOf: async ({ tenantId, backupId }: BackupRef) => `s3://${await bucket.name()}/${objectKeys.backup(tenantId, backupId, '')}`,

    tenantIds: bucket.tenantIds,
    delete: (prefix: string, waiting?: Waiting) => bucket.delete(prefix, waiting),
  };
}

const unwatched: Waiting = { signal: new AbortController().signal, beat: () => undefined };

const contextOf = { manifest: ({ tenantId, backupId }: BackupRef) => ({ purpose: 'backup-manifest', tenant: tenantId, backup: backupId }) };

/** Whatever the order of its properties. */
const digestOf = (manifest: object): Buffer => createHash('sha256').update(stableJson(manifest)).digest();

/** A key that cannot be used just now says nothing about the backup. */
function undefinedIfChanged(error: unknown): undefined {
  if (error instanceof DomainError) throw error;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A stream that ends too early, or fails, fails here: `compose` would wait for its rest for ever. */
function unzipped(compressed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // Whoever reads the last stream hears of the failure of any.
  return pipeline(Readable.from(compressed), createGunzip(), () => undefined);
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** @param what - goes on with "The backup is not complete: ". */
export const incomplete = (what: string, cause?: unknown): DomainError => new DomainError('backup/incomplete', `The backup is not complete: ${what}.`, { cause });
