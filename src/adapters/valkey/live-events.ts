import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { cursorOf, isDelta, type LiveEntry } from '../../contracts/events';
import { valkeyKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { Logger } from '../../logging';
import type { TenantCipher } from '../../ports/cipher';
import type { LiveEvents, LiveSubscription } from '../../ports/live-events';
import { calling, type Valkey } from './connection';

/** About a long answer's worth of deltas. */
const maxRetained = 2_000;
const retainSeconds = 3_600;
/** What a reader that does not read may hold up; it finds the rest in the log. */
const maxBuffered = 5_000;
const subscribeWithinMs = 1_000;
const cipherContext = { purpose: 'live' };

/** Stream ids are cursors, so that a reader fetches what it lacks and nothing else. */
const idOf = (entry: LiveEntry): string => (isDelta(entry) ? `${entry.afterSeq}-${entry.n}` : `${entry.seq}-0`);

interface Dependencies {
  readonly valkey: Valkey;
  readonly cipher: TenantCipher;
  readonly logger: Logger;
}

/** Live entries through Valkey, sealed under the tenant's key: a stream keeps them for readers to come, a channel wakes those there. */
export function createLiveEvents({ valkey, cipher, logger }: Dependencies): LiveEvents {
  const sealing = new Map<string, Promise<void>>();
  const channels = new Channels(valkey);

  const seal = async ({ tenantId }: SessionRef, entry: LiveEntry) =>
    Buffer.from(await cipher.seal(tenantId, cipherContext, Buffer.from(JSON.stringify(entry))));
  const open = async ({ tenantId }: SessionRef, sealed: Buffer) =>
    JSON.parse(Buffer.from(await cipher.open(tenantId, cipherContext, sealed)).toString('utf8')) as LiveEntry;

  async function send(session: SessionRef, entries: readonly LiveEntry[]): Promise<void> {
    const key = valkeyKeys.live(session.tenantId, session.sessionId);
    const pipeline = valkey.commands.pipeline();
    for (const entry of entries) {
      const sealed = await seal(session, entry);
      // An id that does not follow is refused, and only that entry: readers find it in the log.
      pipeline.xadd(key, 'MAXLEN', '~', maxRetained, idOf(entry), 'entry', sealed).publish(key, sealed);
    }
    await pipeline.expire(key, retainSeconds).exec();
  }

  return {
    publish(session, entries) {
      if (entries.length === 0) return;
      const key = valkeyKeys.live(session.tenantId, session.sessionId);
      // One after the other: sealing may take longer for the first than for the second.
      const sent = (sealing.get(key) ?? Promise.resolve())
        .then(() => send(session, entries))
        .catch((error: unknown) => logger.debug({ err: error, ...session }, 'live entries were not published; readers find them in the log'));
      sealing.set(key, sent);
      void sent.then(() => sealing.get(key) === sent && sealing.delete(key));
    },

    async follow(session, { seq, n }) {
      const key = valkeyKeys.live(session.tenantId, session.sessionId);
      const subscription = new Subscription((sealed) => open(session, sealed), () => channels.leave(key, subscription));
      try {
        await calling(() => channels.join(key, subscription));
        const kept = await calling(() => valkey.commands.xrangeBuffer(key, `(${seq}-${n}`, '+'));
        subscription.begin(await Promise.all(kept.map(([, fields]) => open(session, fields[1] ?? Buffer.alloc(0)))));
        return subscription;
      } catch (error) {
        subscription.close();
        throw error;
      }
    },
  };
}

/** The channels this process listens to, over one connection, each once however many read it. */
class Channels {
  private readonly readers = new Map<string, Set<Subscription>>();
  private isListening = false;

  constructor(private readonly valkey: Valkey) {}

  async join(channel: string, reader: Subscription): Promise<void> {
    this.listen();
    const readers = this.readers.get(channel) ?? new Set();
    this.readers.set(channel, readers.add(reader));
    await inTime(this.valkey.subscriber().subscribe(channel));
  }

  leave(channel: string, reader: Subscription): void {
    const readers = this.readers.get(channel);
    if (!readers?.delete(reader) || readers.size > 0) return;
    this.readers.delete(channel);
    this.valkey.subscriber().unsubscribe(channel).catch(() => undefined);
  }

  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    this.valkey.subscriber().on('messageBuffer', (channel: Buffer, message: Buffer) => {
      const readers = this.readers.get(channel.toString()) ?? [];
      const [first] = readers;
      if (!first) return;
      // Opened once for all who read this session: a hundred readers cost a worker's words one decryption.
      const opened = first.open(message);
      for (const reader of readers) reader.take(opened);
    });
  }
}

/** A command on the subscriber waits for a connection that may not come back soon. */
async function inTime(command: Promise<unknown>): Promise<void> {
  const answered = new AbortController();
  const tooLate = delay(subscribeWithinMs, undefined, { signal: answered.signal }).then(() => {
    throw new Error('Valkey did not answer in time.');
  });
  try {
    await Promise.race([command, tooLate]);
  } finally {
    answered.abort();
  }
}

class Subscription implements LiveSubscription {
  retained: readonly LiveEntry[] = [];
  private told: ReadonlySet<string> = new Set();
  private buffer: LiveEntry[] = [];
  private opening = Promise.resolve();
  private readonly arrivals = new EventEmitter();

  constructor(
    readonly open: (sealed: Buffer) => Promise<LiveEntry>,
    private readonly onClose: () => void,
  ) {}

  /** What was published while we asked for what is retained came both ways. */
  begin(retained: readonly LiveEntry[]): void {
    this.retained = retained;
    this.told = new Set(retained.map(cursorOf));
    this.buffer = this.buffer.filter((entry) => this.isNew(entry));
  }

  /** Kept in the order in which they came, however long each takes to open. */
  take(opened: Promise<LiveEntry>): void {
    this.opening = this.opening
      .then(async () => {
        const entry = await opened;
        if (!this.isNew(entry)) return;
        this.buffer.push(entry);
        if (this.buffer.length > maxBuffered) this.buffer.shift();
        this.arrivals.emit('entry');
      })
      .catch(() => undefined);
    opened.catch(() => undefined);
  }

  async next(waitMs: number): Promise<readonly LiveEntry[]> {
    if (this.buffer.length === 0) {
      const signal = AbortSignal.timeout(waitMs);
      await once(this.arrivals, 'entry', { signal }).catch(() => undefined);
    }
    return this.buffer.splice(0);
  }

  close(): void {
    this.onClose();
  }

  private isNew(entry: LiveEntry): boolean {
    return !this.told.has(cursorOf(entry));
  }
}
