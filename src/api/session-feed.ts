import { setTimeout as delay } from 'node:timers/promises';
import { type Cursor, isDelta, type LiveEntry, type SessionEvent } from '../contracts/events';
import type { SessionRef } from '../contracts/session';
import type { LiveEvents, LiveSubscription } from '../ports/live-events';
import type { SessionLog } from '../ports/session-store';

const quietMs = 1_000;
/**
 * The live path may have lost what came last: while a session is quiet its log is looked at after a second, and then less and less often, up to this. A thousand
 * readers of quiet sessions must not keep the table busy.
 */
const longestUnseenMs = 15_000;
const pageEvents = 200;

export interface FeedInput {
  readonly session: SessionRef;
  /** Where the reader stands. */
  readonly cursor: Cursor;
  /** Nothing can have been written after the cursor long ago: the live path has it all, and the log is read only when that is quiet. */
  readonly isAtHead?: boolean;
  readonly log: SessionLog;
  readonly live: LiveEvents;
  readonly signal: AbortSignal;
}

/**
 * A session from a cursor on: every durable event once and in order, and the deltas of the running step in between. The
 * live path may lose, repeat and swap entries; the log may not, so whatever does not follow makes us read the log. Ends
 * after `session.closed`, or when the signal aborts. Yields `idle` when nothing came for a second.
 */
export async function* sessionFeed(input: FeedInput): AsyncGenerator<LiveEntry | 'idle'> {
  const feed = new Feed(input);
  try {
    yield* feed.entries();
  } finally {
    feed.close();
  }
}

class Feed {
  private seq: number;
  private n: number;
  private isOver = false;
  private subscription: LiveSubscription | undefined;
  private lookedAtMs = -Infinity;
  private lookAgainAfterMs = 0;

  constructor(private readonly input: FeedInput) {
    ({ seq: this.seq, n: this.n } = input.cursor);
  }

  async *entries(): AsyncGenerator<LiveEntry | 'idle'> {
    for (let trustsLive = this.input.isAtHead === true; !this.isDone(); trustsLive = false) {
      // Listen first, then read: what is written in between comes twice rather than never.
      const retained = await this.listen();
      if ((!trustsLive && this.isLookDue()) || !this.subscription) yield* this.catchUp();
      yield* this.passAll(retained);
      for (let fresh = await this.nextLive(); fresh.length > 0; fresh = await this.nextLive()) yield* this.passAll(fresh);
      if (!this.isDone()) yield 'idle';
    }
  }

  private isDone(): boolean {
    return this.isOver || this.input.signal.aborted;
  }

  close(): void {
    this.subscription?.close();
  }

  private isLookDue(): boolean {
    return performance.now() - this.lookedAtMs >= this.lookAgainAfterMs;
  }

  /** @returns what was published before we listened; nothing when we listened already, or cannot. */
  private async listen(): Promise<readonly LiveEntry[]> {
    if (this.subscription) return [];
    const { live, session } = this.input;
    this.subscription = await live.follow(session, { seq: this.seq, n: this.n }).catch(() => undefined);
    // Where the live path reaches back to us it is as good as a look; otherwise nobody told us what was written before we listened.
    if (this.subscription?.reachesBack) this.lookedAtMs = performance.now();
    this.lookAgainAfterMs = this.subscription?.reachesBack ? quietMs / 2 : 0;
    return this.subscription?.retained ?? [];
  }

  private async nextLive(): Promise<readonly LiveEntry[]> {
    if (this.isDone()) return [];
    const { signal } = this.input;
    if (this.subscription) return this.subscription.next(quietMs, signal);
    await delay(quietMs, undefined, { signal }).catch(() => undefined);
    return [];
  }

  private async *catchUp(): AsyncGenerator<SessionEvent> {
    const { log, session } = this.input;
    const before = this.seq;
    this.lookedAtMs = performance.now();
    for (;;) {
      const events = await log.read(session, { after: this.seq, limit: pageEvents });
      for (const event of events) {
        if (this.isDone()) return;
        yield this.durable(event);
      }
      if (events.length < pageEvents) break;
    }
    // After 1, 3, 7, 15 quiet seconds: half a second less than these, so that the look comes with the pause and not after the next one.
    this.lookAgainAfterMs = this.seq > before ? 0 : Math.min(longestUnseenMs, this.lookAgainAfterMs * 2 + quietMs / 2);
  }

  private async *passAll(entries: readonly LiveEntry[]): AsyncGenerator<LiveEntry> {
    for (const entry of entries) {
      // Whoever has gone needs nothing, and must not have the log read for each entry that comes.
      if (this.isDone()) return;
      yield* this.pass(entry);
    }
  }

  private async *pass(entry: LiveEntry): AsyncGenerator<LiveEntry> {
    this.lookAgainAfterMs = 0;
    const follows = isDelta(entry) ? entry.afterSeq : entry.seq - 1;
    if (follows > this.seq) yield* this.catchUp();
    if (follows !== this.seq || this.isDone()) return;
    if (!isDelta(entry)) yield this.durable(entry);
    else if (entry.n === this.n + 1) {
      this.n = entry.n;
      yield entry;
    }
  }

  private durable(event: SessionEvent): SessionEvent {
    this.seq = event.seq;
    this.n = 0;
    this.isOver ||= event.type === 'session.closed';
    return event;
  }
}
