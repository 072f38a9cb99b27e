import type { Response } from 'express';
import { DomainError } from '../contracts/errors';
import type { RequestRate, TenantRecord } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf } from '../domain/tiers';
import type { RequestLimiter } from '../ports/request-limiter';

/** Who shares a bucket, as the refusal names it, and how much it grants. */
export interface RateLimit {
  readonly bucket: string;
  readonly who: string;
  readonly rate: RequestRate;
}

export const tenantLimit = (tiers: Tiers, tenant: TenantRecord): RateLimit => ({
  bucket: tenant.tenantId,
  who: 'This tenant',
  rate: tenant.rate ?? definitionOf(tiers, tenant.tier).rate,
});

/**
 * Takes one request out of a bucket, and says in the answer's headers, when there is one, what is left.
 * @throws DomainError `request/rate-limited`; `dependency/unavailable` when nobody counts.
 */
export async function limitRate(limiter: RequestLimiter, { bucket, who, rate }: RateLimit, response?: Response): Promise<void> {
  const { allowed, remaining, retryAfterMs, resetMs } = await limiter.take(bucket, rate);
  response?.set({
    'RateLimit-Limit': String(rate.burst),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(seconds(resetMs)),
    'RateLimit-Policy': `${rate.requestsPerMinute};w=60;burst=${rate.burst}`,
  });
  if (allowed) return;
  const retryAfterSeconds = Math.max(1, seconds(retryAfterMs));
  throw new DomainError('request/rate-limited', `${who} may send ${rate.requestsPerMinute} requests per minute. Try again in ${retryAfterSeconds} s.`, { retryAfterSeconds });
}

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);
