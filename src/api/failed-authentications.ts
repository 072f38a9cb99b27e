import type { Request } from 'express';
import { codeOf } from '../contracts/errors';
import { rateBuckets } from '../contracts/names';
import { TenantId } from '../contracts/tenant';
import type { RequestLimiter } from '../ports/request-limiter';
import { addressOf } from './address';
import { LimitReached, rateHeaders, retrySeconds } from './rate-limit';

export interface FailureDeps {
  readonly limiter: RequestLimiter;
  /** Credentials that may be refused in a minute, from one address. */
  readonly failuresPerMinute: number;
}

/** A tenant hears from many addresses. */
const tenantFactor = 10;

/**
 * Counts a refused credential against the address it came from, and against the tenant it named. Over the limit the refusal is a 429.
 * A credential that is good is never asked about: who floods an address or a tenant with bad ones locks nobody out.
 *
 * @returns what to refuse the request with.
 */
export async function refusalAfter(error: unknown, { limiter, failuresPerMinute }: FailureDeps, request: Request, named: unknown): Promise<unknown> {
  if (codeOf(error) !== 'auth/unauthenticated' || !hasCredential(request)) return error;
  const tenantId = TenantId.safeParse(named);
  const limits = [
    { bucket: rateBuckets.failuresFrom(addressOf(request)), who: 'from this address', burst: failuresPerMinute },
    ...(tenantId.success ? [{ bucket: rateBuckets.failuresAt(tenantId.data), who: 'for this tenant', burst: failuresPerMinute * tenantFactor }] : []),
  ];
  for (const { bucket, who, burst } of limits) {
    const rate = { requestsPerMinute: burst, burst };
    // It is refused in any case: while nobody counts, as if it were the first.
    const decision = await limiter.take(bucket, rate).catch(() => undefined);
    if (!decision || decision.allowed) continue;
    const words = `Too many credentials ${who} were refused; this one was, too. Good ones are still taken.`;
    return new LimitReached('auth/too-many-failures', words, retrySeconds(decision.retryAfterMs), rateHeaders(rate, decision.remaining, decision.resetMs));
  }
  return error;
}

/** Who sends none has guessed nothing. */
const hasCredential = (request: Request): boolean => request.get('authorization') !== undefined || request.get('cookie') !== undefined;
