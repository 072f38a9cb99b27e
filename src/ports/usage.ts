import type { UsagePeriod } from '../contracts/names';
import type { SessionRef } from '../contracts/session';
import type { UsageCell } from '../contracts/usage';

/** A session the roll-up follows. */
export interface FollowedSession extends SessionRef {
  readonly userId: string;
}

/** What was counted now, and where the session's log was counted up to before. */
export interface Count {
  readonly after: number;
  readonly upTo: number;
  readonly hours: readonly UsageCell[];
  readonly days: readonly UsageCell[];
}

/** What a tenant has used, as numbers in its own table; each event is counted once, however often and by whomever it is read. */
export interface UsageStore {
  /** Since when new sessions are to be looked for; when the last run began that counted all there was. */
  progress(tenantId: string): Promise<{ sessionsSince?: string; rolledUpAt?: string }>;
  /** Replaces what is given. */
  noteProgress(tenantId: string, progress: { sessionsSince: string } | { rolledUpAt: string }): Promise<void>;
  /** Follows the session from now on; again is fine. */
  follow(session: FollowedSession): Promise<void>;
  /** The session's log has ended and is counted. */
  unfollow(session: SessionRef): Promise<void>;
  followed(tenantId: string): AsyncIterable<FollowedSession>;
  /** Place in the session's log up to which it is counted; 0 before the first time. */
  countedUpTo(session: SessionRef): Promise<number>;
  /** Adds to the figures and moves the place in one write. @returns false when somebody else has counted past `after`: nothing was added. */
  count(session: SessionRef, count: Count): Promise<boolean>;
  /** Cells of periods with `from <= period < to` (of `periodOf`'s form). */
  read(tenantId: string, range: { period: UsagePeriod; from: string; to: string }): Promise<UsageCell[]>;
}
