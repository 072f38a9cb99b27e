import type { Response } from 'express';
import { DomainError, type ErrorCode } from '../contracts/errors';
import type { RequestRate, TenantRecord } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf, shareOf } from '../domain/tiers';
import type { RequestLimiter, Share } from '../ports/request-limiter';

/** Who shares a bucket, as the refusal names it, and how much it grants. */
export interface RateLimit {
  readonly bucket: string;
  readonly who: string;
  readonly rate: RequestRate;
  /** What one of them may take of it. */
  readonly share?: Share;
}

export function tenantLimit(tiers: Tiers, tenant: TenantRecord, userId: string): RateLimit {
  const tier = definitionOf(tiers, tenant.tier);
  const rate = tenant.rate ?? tier.rate;
  const share = { requestsPerMinute: shareOf(tier, rate.requestsPerMinute), burst: shareOf(tier, rate.burst) };
  return { bucket: tenant.tenantId, who: 'This tenant', rate, share: { userId, rate: share } };
}

/**
 * Takes one request out of a bucket, and says in the answer's headers, when there is one, what is left.
 * @throws DomainError `request/rate-limited`; `dependency/unavailable` when nobody counts.
 */
export async function limitRate(limiter: RequestLimiter, limit: RateLimit, response?: Response): Promise<void> {
  const { allowed, bound, remaining, retryAfterMs, resetMs } = await limiter.take(limit.bucket, limit.rate, limit.share);
  const rate = (bound === 'share' ? limit.share?.rate : undefined) ?? limit.rate;
  const headers = rateHeaders(rate, remaining, resetMs);
  response?.set(headers);
  if (allowed) return;
  const who = bound === 'share' ? 'One user' : limit.who;
  throw new LimitReached('request/rate-limited', `${who} may send ${rate.requestsPerMinute} requests per minute.`, retrySeconds(retryAfterMs), headers);
}

/** A 429: what was too much, when to come back, and where the limit is. */
export class LimitReached extends DomainError {
  constructor(
    code: ErrorCode,
    what: string,
    retryAfterSeconds: number,
    /** `RateLimit-…`, for the answer. */
    readonly headers: Readonly<Record<string, string>>,
  ) {
    super(code, `${what} Try again in ${retryAfterSeconds} s.`, { retryAfterSeconds });
  }
}

export const rateHeaders = ({ requestsPerMinute, burst }: RequestRate, remaining: number, resetMs: number) => ({
  'RateLimit-Limit': String(burst),
  'RateLimit-Remaining': String(remaining),
  'RateLimit-Reset': String(seconds(resetMs)),
  'RateLimit-Policy': `${requestsPerMinute};w=60;burst=${burst}`,
});

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);

export const retrySeconds = (milliseconds: number): number => Math.max(1, seconds(milliseconds));
