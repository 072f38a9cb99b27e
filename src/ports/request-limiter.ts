import type { RequestRate } from '../contracts/tenant';

export interface RateDecision {
  readonly allowed: boolean;
  /** What the other figures are about: the bucket, or the part of it that one user may take. */
  readonly bound: 'all' | 'share';
  /** Requests left in the bucket. */
  readonly remaining: number;
  /** Milliseconds until one more request is allowed; 0 when allowed now. */
  readonly retryAfterMs: number;
  /** Milliseconds until the bucket is full. */
  readonly resetMs: number;
}

/** What one user may take of a bucket that many share. */
export interface Share {
  readonly userId: string;
  readonly rate: RequestRate;
}

/** Token buckets that all API replicas share: one a tenant, and those of `rateBuckets`. `burst` tokens, refilled at `requestsPerMinute`. */
export interface RequestLimiter {
  /**
   * Takes a token, of the bucket and of the user's share of it, or of neither.
   * @throws DomainError `dependency/unavailable`: without the shared count nothing passes.
   */
  take(bucket: string, rate: RequestRate, share?: Share): Promise<RateDecision>;
}
