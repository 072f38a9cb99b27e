import { z } from 'zod';
import { TenantRecord } from './tenant';

/** What a backup holds, in the order it is taken. Users come first: the others name them by id. */
export const backupContents = ['users', 'config', 'memory', 'table', 'objects'] as const;
export type BackupContentName = (typeof backupContents)[number];

/** Why it was taken; what becomes of it later depends on it. */
export const backupReasons = ['on-demand', 'scheduled', 'before-restore', 'farewell'] as const;
export const BackupReason = z.enum(backupReasons);
export type BackupReason = z.infer<typeof BackupReason>;

export const BackupPart = z.object({
  /** `table-000001.jsonl.gz` */
  name: z.string(),
  content: z.enum(backupContents),
  records: z.number().int(),
  /** Of the plain JSON Lines, as is the hash. */
  bytes: z.number().int(),
  /** Hex. */
  sha256: z.string(),
  /** As it lies in the bucket: compressed and sealed. */
  storedBytes: z.number().int(),
});
export type BackupPart = z.infer<typeof BackupPart>;

/** All of one kind: how many records, and a hash that depends neither on their order nor on ids that a restore maps. */
export const ContentSummary = z.object({ content: z.enum(backupContents), records: z.number().int(), contentHash: z.string() });
export type ContentSummary = z.infer<typeof ContentSummary>;

const ManifestBase = z.object({ backupId: z.string(), tenantId: z.string(), createdAt: z.iso.datetime() });

/** Of the registry's entry: what a tenant of another id is built with. */
export const BackedUpTenant = TenantRecord.pick({ displayName: true, tier: true, rate: true, operatorBudgets: true, ownBudgets: true, budgetsRevision: true });
export type BackedUpTenant = z.infer<typeof BackedUpTenant>;

export const BackupManifestV2 = ManifestBase.extend({
  format: z.literal('tenure-backup/2'),
  /** When the first record was read; `createdAt` is when the last one was. */
  startedAt: z.iso.datetime(),
  reason: BackupReason,
  tenant: BackedUpTenant,
  contents: z.array(ContentSummary),
  parts: z.array(BackupPart),
  /** Base64: the SHA-256 of all of the above, sealed under the backup key. */
  seal: z.string(),
});

const oldPart = /^(table|objects|memory|config|users)\.jsonl$/;

/** One part for each content, not compressed. */
const BackupManifestV1 = ManifestBase.extend({
  format: z.literal('tenure-backup/1'),
  parts: z.array(BackupPart.omit({ content: true, storedBytes: true }).extend({ name: z.string().regex(oldPart) })),
}).transform((manifest) => ({
  ...manifest,
  reason: 'farewell' as const,
  parts: manifest.parts.map((part) => ({ ...part, content: part.name.replace('.jsonl', '') as BackupContentName, storedBytes: part.bytes })),
}));

/** Both formats that can be read. */
export const BackupManifest = z.union([BackupManifestV2, BackupManifestV1]);
export type BackupManifest = z.infer<typeof BackupManifest>;

/** Written beside the manifest once all of the backup has been read back. */
export const BackupVerification = z.object({
  verifiedAt: z.iso.datetime(),
  /** The operation that verified it. */
  verifiedBy: z.string(),
});
export type BackupVerification = z.infer<typeof BackupVerification>;

/** A backup as it is listed. */
export const BackupSummary = ManifestBase.extend({
  format: z.string(),
  reason: BackupReason,
  /** The first format does not know it. */
  tenant: BackedUpTenant.optional(),
  /** Of all its parts as they lie in the bucket. */
  storedBytes: z.number().int(),
  /** Of its plain JSON Lines. */
  bytes: z.number().int(),
  records: z.partialRecord(z.enum(backupContents), z.number().int()),
  /** Absent: not verified yet. */
  verification: BackupVerification.optional(),
});
export type BackupSummary = z.infer<typeof BackupSummary>;

/** A folder of the backup bucket: a backup, one that was never finished, or one whose manifest is not its own any more. */
export type KeptBackup = { readonly backupId: string; /** `s3://bucket/prefix/` */ readonly location: string } & (
  | { readonly state: 'complete'; readonly createdAt: string; readonly reason: BackupReason }
  | { readonly state: 'unfinished'; readonly startedAt: string | undefined }
  | { readonly state: 'damaged' }
);

/** What a backup holds, against what a tenant holds after it was restored. */
export const ContentComparison = z.object({
  content: z.enum(backupContents),
  records: z.number().int(),
  found: z.number().int(),
  hashesAgree: z.boolean(),
  /** Records of the backup that were not restored, since they were erased after it was taken. Absent: none. */
  leftOut: z.number().int().min(1).optional(),
});
export type ContentComparison = z.infer<typeof ContentComparison>;
