import { z } from 'zod';
import { PublicKey } from './public-key';
import { SessionId } from './session';

/** What is erased: one conversation, or all that is kept of a user. */
export const ErasureSubject = z.union([z.strictObject({ sessionId: SessionId }), z.strictObject({ userId: z.string().min(1) })]);
export type ErasureSubject = z.infer<typeof ErasureSubject>;

/** Where something of a person can lie, in the order in which it is erased. */
export const erasurePlaces = ['table', 'bucket', 'memory', 'live', 'temporal'] as const;
export type ErasurePlaceName = (typeof erasurePlaces)[number];

const ErasedSession = z.object({ sessionId: SessionId, userId: z.string(), createdAt: z.iso.datetime() });
export type ErasedSession = z.infer<typeof ErasedSession>;

/** What an erasure covers, noted before anything is deleted. It holds ids, a digest of an e-mail address, and nothing that was said. */
export const ErasurePlan = z.object({
  tenantId: z.string(),
  operationId: z.string(),
  subject: ErasureSubject,
  /** Of a user who has an account: a restore gives it another id, and the address stays. */
  addressDigest: z.string().optional(),
  /** Cognito `sub` of who asked. */
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  sessions: z.array(ErasedSession),
  /** Names of the scheduled agents that go with their user. */
  schedules: z.array(z.string()),
  /** How much there was of it in each place. */
  found: z.record(z.enum(erasurePlaces), z.number().int().min(0)),
});
export type ErasurePlan = z.infer<typeof ErasurePlan>;

/** An erasure as it is listed: when it was complete; absent while it runs. */
export interface ListedErasure {
  readonly plan: ErasurePlan;
  readonly issuedAt?: string | undefined;
}

/** One place, before and after. */
export const ErasedPlace = z.object({
  place: z.enum(erasurePlaces),
  /** How many there were when the erasure began, and how many there are now: none. */
  before: z.number().int().min(0),
  after: z.number().int().min(0),
  /** How it was looked for. */
  call: z.string(),
  checkedAt: z.iso.datetime(),
});
export type ErasedPlace = z.infer<typeof ErasedPlace>;

/** That something was erased: where it was, how that it is gone was checked, and what there still is, and why. */
export const ErasureStatement = z.object({
  format: z.literal('tenure-erasure-statement/1'),
  tenantId: z.string(),
  operationId: z.string(),
  subject: ErasureSubject,
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  issuedAt: z.iso.datetime(),
  /** Ids of the sessions that were erased. */
  sessions: z.array(SessionId),
  schedules: z.array(z.string()),
  places: z.array(ErasedPlace),
  /** Backups that were taken before: sealed, and no restore brings back what was erased. By `expiresAt` they are deleted, as long as the tenant is backed up each month: its newest verified one is never. */
  backups: z.array(z.object({ backupId: z.string(), takenAt: z.iso.datetime(), expiresAt: z.iso.datetime() })),
  /** What is kept, and why. */
  kept: z.array(z.object({ what: z.string(), why: z.string() })),
});
export type ErasureStatement = z.infer<typeof ErasureStatement>;

/** A statement and its signature, as a deletion certificate has one. */
export const SignedErasure = z.strictObject({
  statement: ErasureStatement,
  signature: z.strictObject({ protected: z.string(), signature: z.string() }),
  key: PublicKey,
});
export type SignedErasure = z.infer<typeof SignedErasure>;
