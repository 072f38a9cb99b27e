import type { Response } from 'express';
import { DomainError } from '../contracts/errors';
import { type TenantRecord, tiers } from '../contracts/tenant';
import type { RequestLimiter } from '../ports/request-limiter';

/**
 * Takes one request out of the tenant's bucket and says in the answer's headers what is left.
 *
 * @throws DomainError `request/rate-limited`; `dependency/unavailable` when nobody counts.
 */
export async function limitRate(limiter: RequestLimiter, tenant: TenantRecord, response: Response): Promise<void> {
  const rate = tenant.rate ?? tiers[tenant.tier].rate;
  const { allowed, remaining, retryAfterMs, resetMs } = await limiter.take(tenant.tenantId, rate);
  response.set({
    'RateLimit-Limit': String(rate.burst),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(seconds(resetMs)),
    'RateLimit-Policy': `${rate.requestsPerMinute};w=60;burst=${rate.burst}`,
  });
  if (allowed) return;
  const retryAfterSeconds = Math.max(1, seconds(retryAfterMs));
  throw new DomainError(
    'request/rate-limited',
    `This tenant may send ${rate.requestsPerMinute} requests per minute. Try again in ${retryAfterSeconds} s.`,
    { retryAfterSeconds },
  );
}

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);
