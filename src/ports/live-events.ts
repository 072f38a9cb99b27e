import type { Cursor, LiveEntry } from '../contracts/events';
import type { SessionRef } from '../contracts/session';

/**
 * The fast path from worker to reader, through Valkey. It may lose entries (the log does not): readers notice a gap in
 * `seq` and read the log.
 */
export interface LiveEvents {
  /**
   * Words come behind the beginning of their step (`afterSeq`), whatever is written in its middle.
   * Never throws and never delays the caller's work: a reader that misses an entry finds it in the log.
   */
  publish(session: SessionRef, entries: readonly LiveEntry[]): void;
  /**
   * Starts to listen, at once and without a gap between `retained` and `next`.
   * @param cursor - `retained` begins after it, and holds all words of the step that is under way there behind the cursor's.
   * @throws DomainError `dependency/unavailable`
   */
  follow(session: SessionRef, cursor: Cursor): Promise<LiveSubscription>;
}

export interface LiveSubscription {
  /** What was published lately, oldest first: the deltas of the running step among it. */
  readonly retained: readonly LiveEntry[];
  /** Whether what ends at the cursor is retained, too: then all that was published since is here, or comes. */
  readonly reachesBack: boolean;
  /** The next entries; an empty list when none came within `waitMs`, or nobody waits for them any more. */
  next(waitMs: number, signal?: AbortSignal): Promise<readonly LiveEntry[]>;
  close(): void;
}
