import { z } from 'zod';
import { AnyTenantId } from './tenant';

/** `not_tried` proves nothing, and is never counted as a pass: `why` says what was in the way. */
export const probeAnswers = ['refused', 'got_through', 'not_tried'] as const;

/** One way into another tenant, and what answered. */
export const ProbeAttempt = z.object({
  /** What it was after: a kind of `tenantResources`, or one of `probedBesides` in contracts/names. */
  kind: z.string(),
  /** Credentials or token, and what was asked with them: `role: Query`, `token: GET /api/v1/tenants/{tenantId}`. */
  what: z.string(),
  answer: z.enum(probeAnswers),
  /** Of what got through or was not tried. */
  why: z.string().optional(),
});
export type ProbeAttempt = z.infer<typeof ProbeAttempt>;

/** All that one tenant tried on another. */
export const ProbeResult = z.object({
  format: z.literal('tenure-probe/1'),
  tenantId: AnyTenantId,
  /** Whom it tried to get at. */
  otherTenantId: AnyTenantId,
  probedAt: z.iso.datetime(),
  attempts: z.array(ProbeAttempt),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

/** A result in numbers of attempts. */
export const ProbeSummary = ProbeResult.pick({ tenantId: true, otherTenantId: true }).extend({
  refused: z.number().int().min(0),
  gotThrough: z.number().int().min(0),
  notTried: z.number().int().min(0),
});
export type ProbeSummary = z.infer<typeof ProbeSummary>;
