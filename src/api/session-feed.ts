import { setTimeout as delay } from 'node:timers/promises';
import { type Cursor, type Delta, isDelta, type LiveEntry, type SessionEvent } from '../contracts/events';
import type { SessionRef } from '../contracts/session';
import { isBesideSteps, type StepWords, wordsWith } from '../domain/step-words';
import type { LiveEvents, LiveSubscription } from '../ports/live-events';
import type { SessionLog } from '../ports/session-store';
import { mustNotEndBefore } from './log-place';

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

/** An entry as its reader gets it, and where that reader stands then. */
export interface Told {
  readonly entry: LiveEntry;
  readonly cursor: Cursor;
}

/**
 * A session from a cursor on: every durable event once and in order, and the deltas of the running step in between. The
 * live path may lose, repeat and swap entries; the log may not, so whatever does not follow makes us read the log. Ends
 * after `session.closed`, or when the signal aborts. Yields `idle` when there was nothing to tell for a second.
 * @throws DomainError `cursor/unknown`
 */
export async function* sessionFeed(input: FeedInput): AsyncGenerator<Told | 'idle'> {
  const feed = new Feed(input);
  try {
    yield* feed.entries();
  } finally {
    feed.close();
  }
}

/**
 * @returns where the log ends.
 * @throws DomainError `cursor/unknown` when that is before the cursor: it is of another log, such as that before a restore.
 */
export async function mustHaveEvent(log: Pick<SessionLog, 'last'>, session: SessionRef, { seq }: Cursor): Promise<number> {
  const { seq: last } = (await log.last(session)) ?? { seq: 0 };
  mustNotEndBefore(seq, last, 'events');
  return last;
}

class Feed {
  private seq: number;
  private words: StepWords;
  private isOver = false;
  private subscription: LiveSubscription | undefined;
  private lookedAtMs = -Infinity;
  private lookAgainAfterMs = 0;
  /** Whether the log is known to have its reader's place. */
  private isInLog: boolean;

  constructor(private readonly input: FeedInput) {
    const { seq, n } = input.cursor;
    this.seq = seq;
    this.words = { after: undefined, n };
    this.isInLog = seq === 0;
  }

  async *entries(): AsyncGenerator<Told | 'idle'> {
    for (let trustsLive = this.input.isAtHead === true; !this.isDone(); trustsLive = false) {
      // Listen first, then read: what is written in between comes twice rather than never.
      const retained = await this.listen();
      if ((!trustsLive && this.isLookDue()) || !this.subscription) yield* this.catchUp();
      yield* this.passAll(retained);
      yield* this.passLive();
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
    this.subscription = await live.follow(session, this.place).catch(() => undefined);
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

  private async *catchUp(): AsyncGenerator<Told> {
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
    if (!this.isInLog) await mustHaveEvent(log, session, this.place);
    this.isInLog = true;
    // After 1, 3, 7, 15 quiet seconds: half a second less than these, so that the look comes with the pause and not after the next one.
    this.lookAgainAfterMs = this.seq > before ? 0 : Math.min(longestUnseenMs, this.lookAgainAfterMs * 2 + quietMs / 2);
  }

  /** As it comes, until there was nothing to tell for a second: what is not for its reader must not keep that one waiting for a sign of life. */
  private async *passLive(): AsyncGenerator<Told> {
    let quietSinceMs = performance.now();
    for (let fresh = await this.nextLive(); fresh.length > 0; fresh = await this.nextLive()) {
      for await (const told of this.passAll(fresh)) {
        yield told;
        quietSinceMs = performance.now();
      }
      if (performance.now() - quietSinceMs >= quietMs) return;
    }
  }

  private async *passAll(entries: readonly LiveEntry[]): AsyncGenerator<Told> {
    for (const entry of entries) {
      // Whoever has gone needs nothing, and must not have the log read for each entry that comes.
      if (this.isDone()) return;
      yield* this.pass(entry);
    }
  }

  private async *pass(entry: LiveEntry): AsyncGenerator<Told> {
    this.lookAgainAfterMs = 0;
    const follows = isDelta(entry) ? entry.afterSeq : entry.seq - 1;
    if (follows > this.seq) yield* this.catchUp();
    if (follows > this.seq || this.isDone()) return;
    if (isDelta(entry)) {
      if (await this.isNextWord(entry)) yield this.word(entry);
    } else if (follows === this.seq) yield this.durable(entry);
  }

  /** Of the step that is under way here, which may have begun some events ago. */
  private async isNextWord(delta: Delta): Promise<boolean> {
    const after = this.words.after ?? (await this.beginningBefore(delta));
    this.words = { ...this.words, after };
    return delta.afterSeq === after && delta.n === this.words.n + 1;
  }

  /** Where the step began in whose middle the reader came. All that was told since is beside it. */
  private async beginningBefore({ afterSeq }: Delta): Promise<number> {
    const { session, log, cursor } = this.input;
    if (afterSeq >= cursor.seq) return afterSeq;
    // More than a page of what is beside steps does not fit into one.
    const events = await log.read(session, { after: Math.max(afterSeq, cursor.seq - pageEvents), upTo: cursor.seq });
    return events.findLast((event) => !isBesideSteps(event))?.seq ?? afterSeq;
  }

  /** Behind the last event that was told: on the live path it stands behind the beginning of its step. */
  private word(delta: Delta): Told {
    this.words = wordsWith(this.words, delta);
    return { entry: { ...delta, afterSeq: this.seq }, cursor: this.place };
  }

  private durable(event: SessionEvent): Told {
    this.seq = event.seq;
    this.isInLog = true;
    this.words = wordsWith(this.words, event);
    this.isOver ||= event.type === 'session.closed';
    return { entry: event, cursor: this.place };
  }

  private get place(): Cursor {
    return { seq: this.seq, n: this.words.n };
  }
}
