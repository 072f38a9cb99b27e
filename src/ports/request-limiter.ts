import type { RequestRate } from '../contracts/tenant';

export interface RateDecision {
  readonly allowed: boolean;
  /** Requests left in the bucket. */
  readonly remaining: number;
  /** Milliseconds until one more request is allowed; 0 when allowed now. */
  readonly retryAfterMs: number;
  /** Milliseconds until the bucket is full. */
  readonly resetMs: number;
}

/** Token buckets that all API replicas share: one a tenant, and those of `rateBuckets`. `burst` tokens, refilled at `requestsPerMinute`. */
export interface RequestLimiter {
  /** @throws DomainError `dependency/unavailable`: without the shared count nothing passes. */
  take(bucket: string, rate: RequestRate): Promise<RateDecision>;
}
