import { z } from 'zod';

export const auditFormat = 'tenure-audit/1';
export const checkpointFormat = 'tenure-audit-checkpoint/1';

/** Of the first entry of a chain: there is none before it. */
export const beforeFirst = '0'.repeat(64);

/**
 * `begun`: a change was let in, and is recorded before it is made; what came of it is in a later entry of the same request. `denied`: 401, 403, 429,
 * and 404 for what is another's. `refused`: any other 4xx. `failed`: 5xx.
 */
export const auditOutcomes = ['begun', 'done', 'denied', 'refused', 'failed', 'completed', 'undone', 'cancelled'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

export const AuditActor = z.object({
  kind: z.enum(['user', 'operator', 'workflow', 'anonymous']),
  /** Cognito `sub`, or a workflow's id; of nobody we know, absent. */
  id: z.string().optional(),
});
export type AuditActor = z.infer<typeof AuditActor>;

/** What happened, before it has its place in a chain. Ids, codes and counts only: no text of anybody's, no token, no secret. */
export const AuditEvent = z.object({
  /** By the clock of the process that saw it; of several, of the last one. */
  at: z.iso.datetime(),
  actor: AuditActor,
  /** `PUT /api/v1/tenants/{tenantId}/config`, `operation/offboarding`, `maintenance/drift` … */
  action: z.string(),
  /** `tenants/acme/sessions/ses-1`, `operations/…`, `dynamodb:table tenant-acme-data` … */
  object: z.string(),
  outcome: z.enum(auditOutcomes),
  /** Of the HTTP answer. */
  status: z.number().int().optional(),
  /** Of contracts/errors.ts. */
  code: z.string().optional(),
  /** Of the HTTP request; of several, of the last one. */
  requestId: z.string().optional(),
  /** IP address the request came from. */
  address: z.string().optional(),
  /** What the change made: the `Location` of the answer. */
  result: z.string().optional(),
  /** How many requests that differ in nothing else this entry stands for. Absent: one. */
  count: z.number().int().min(2).optional(),
  /** When the first of them came. */
  since: z.iso.datetime().optional(),
});
export type AuditEvent = z.infer<typeof AuditEvent>;

/** An entry in its place. `hash` is the SHA-256 (hex) of all else as canonical JSON (RFC 8785). */
export const AuditEntry = AuditEvent.extend({
  /** A tenant's id, or `platform`. */
  chain: z.string(),
  /** 1, 2, 3 …, without a gap. */
  seq: z.number().int().min(1),
  /** Hash of the entry before; zeros for the first. */
  prev: z.string(),
  hash: z.string(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** That a chain had this head then. */
export const AuditCheckpoint = z.strictObject({
  format: z.literal(checkpointFormat),
  /** `scheduled`: by the maintenance. `export`: at the end of an export, over all that is in it. */
  kind: z.enum(['scheduled', 'export']),
  chain: z.string(),
  /** Of the last entry it covers; 0 of an empty chain. */
  seq: z.number().int().min(0),
  /** Of that entry. */
  hash: z.string(),
  /** Of an export: what it begins after. */
  after: z.number().int().min(0).optional(),
  /** `seq` of the scheduled checkpoint before it. */
  previous: z.number().int().min(1).optional(),
  signedAt: z.iso.datetime(),
});
export type AuditCheckpoint = z.infer<typeof AuditCheckpoint>;

/** A checkpoint and its signature: a JWS in two parts, whose payload is the checkpoint as canonical JSON. */
export const SignedCheckpoint = z.strictObject({
  checkpoint: AuditCheckpoint,
  signature: z.strictObject({ protected: z.string(), signature: z.string() }),
});
export type SignedCheckpoint = z.infer<typeof SignedCheckpoint>;

/** First line of an export. Behind it come entries and signed checkpoints, in order, and last the checkpoint of the export itself. */
export const AuditExportHeader = z.strictObject({ format: z.literal(auditFormat), chain: z.string(), after: z.number().int().min(0) });
export type AuditExportHeader = z.infer<typeof AuditExportHeader>;
