import { z } from 'zod';
import { OwnedResource, ResourceCheck } from './inventory';
import { DrainedSessions, DrainPolicy, stepStates } from './operation';
import { PublicKey } from './public-key';

/** Something that lies in the platform's bucket, and what it must hash to. */
const KeptObject = z.object({
  /** `s3://bucket/key` */
  location: z.string(),
  /** Hex, of the object's bytes. */
  sha256: z.string(),
});

/** A key of the tenant's and when KMS deletes it. From its scheduling on it opens nothing. */
export const KeyDeletion = z.object({ keyArn: z.string(), deletionDate: z.iso.datetime() });
export type KeyDeletion = z.infer<typeof KeyDeletion>;

/** The backup the tenant left behind. */
export const BackupEvidence = KeptObject.extend({
  backupId: z.string(),
  format: z.string(),
  takenAt: z.iso.datetime(),
  verifiedAt: z.iso.datetime(),
  /** Of all its parts together. */
  records: z.number().int().min(0),
  /** After it, the backup is deleted. Absent: it is kept until somebody deletes it. */
  expiresAt: z.iso.datetime().optional(),
});
export type BackupEvidence = z.infer<typeof BackupEvidence>;

/** The key that what a tenant holds is encrypted under, as it was found. */
export const TenantKey = z.object({
  keyArn: z.string(),
  /** KMS' own word (`Enabled`, `Disabled`, `PendingDeletion` …), or `Deleted`: KMS does not know the key. Only `Enabled` opens anything. */
  keyState: z.string(),
  checkedAt: z.iso.datetime(),
});
export type TenantKey = z.infer<typeof TenantKey>;

/** Why there is no backup: what the tenant held could not be read any more, as its key was found before deletion began. */
export const NoBackupEvidence = TenantKey.extend({
  outcome: z.literal('impossible'),
  /** The operator's words. */
  reason: z.string(),
});
export type NoBackupEvidence = z.infer<typeof NoBackupEvidence>;

/** What Temporal has of the tenant's sessions after it was asked to delete it. */
export const HistoriesLeft = z.object({
  /** Sessions that Temporal lists. */
  listed: z.number().int().min(0),
  /** Of these, how many it still has the history of: its list lags behind. */
  held: z.number().int().min(0),
  checkedAt: z.iso.datetime(),
});
export type HistoriesLeft = z.infer<typeof HistoriesLeft>;

/** What came of restoring the backup into a scratch tenant before anything was deleted. */
export const RehearsalEvidence = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('passed'),
    operationId: z.string(),
    finishedAt: z.iso.datetime(),
    durationMs: z.number().int().min(0),
    compared: z.array(z.object({ content: z.string(), records: z.number().int(), found: z.number().int(), hashesAgree: z.boolean() })),
  }),
  z.object({ outcome: z.literal('skipped'), reason: z.string() }),
]);
export type RehearsalEvidence = z.infer<typeof RehearsalEvidence>;

/** One thing the tenant owned when deletion began, and how it was found to be gone. */
const CertifiedResource = OwnedResource.extend({
  /** `absent`: not found any more. `kept`: see `kept`. */
  outcome: z.enum(['absent', 'kept']),
  call: z.string(),
  checkedAt: z.iso.datetime(),
});

/** A kind of thing tenants may own. All kinds are listed, those this tenant never had too. */
const CertifiedCheck = ResourceCheck.extend({
  checkedAt: z.iso.datetime(),
  /** How many there were when deletion began, and how many there are now. */
  before: z.number().int().min(0),
  after: z.number().int().min(0),
});

/** That a tenant is gone: what it had, how and when each was found to be absent, and what was kept. docs/deletion-certificate.md */
export const DeletionCertificate = z.object({
  format: z.literal('tenure-deletion-certificate/1'),
  tenantId: z.string(),
  displayName: z.string(),
  operationId: z.string(),
  /** Cognito `sub` of the operator who asked for it. */
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  issuedAt: z.iso.datetime(),
  asked: z.object({
    graceSeconds: z.number().int(),
    drain: z.object({ policy: DrainPolicy, seconds: z.number().int() }),
    rehearsal: z.enum(['required', 'skipped']),
    histories: z.enum(['kept', 'deleted']),
  }),
  steps: z.array(
    z.object({ name: z.string(), title: z.string(), state: z.enum(stepStates), startedAt: z.iso.datetime().optional(), finishedAt: z.iso.datetime().optional() }),
  ),
  sessions: DrainedSessions.optional(),
  /** The list of what there was when deletion began, as it was then. */
  inventory: KeptObject.extend({ takenAt: z.iso.datetime() }),
  resources: z.array(CertifiedResource),
  checks: z.array(CertifiedCheck),
  keys: z.array(KeyDeletion),
  backup: z.union([BackupEvidence, NoBackupEvidence]),
  /** Only when histories were to be deleted. */
  histories: HistoriesLeft.optional(),
  rehearsal: RehearsalEvidence,
  /** What is still there, and why. */
  kept: z.array(z.object({ what: z.string(), why: z.string(), until: z.string() })),
});
export type DeletionCertificate = z.infer<typeof DeletionCertificate>;

/**
 * A certificate and its signature: a JWS (RFC 7515) in two parts, whose payload is the certificate as canonical JSON (RFC 8785).
 * `key` is a convenience: trust the one that you got from the platform.
 */
export const SignedCertificate = z.strictObject({
  certificate: DeletionCertificate,
  signature: z.strictObject({ protected: z.string(), signature: z.string() }),
  key: PublicKey,
});
export type SignedCertificate = z.infer<typeof SignedCertificate>;

/** That the id of a deleted tenant was given back, by whom, and why so early if it was. */
export const PurgeRecord = z.object({
  tenantId: z.string(),
  /** The offboarding whose tombstone it was. */
  operationId: z.string(),
  purgedAt: z.iso.datetime(),
  /** Cognito `sub` of the operator. */
  purgedBy: z.string(),
  /** Why it could not wait. Absent: it did. */
  forcedBecause: z.string().optional(),
});
export type PurgeRecord = z.infer<typeof PurgeRecord>;
