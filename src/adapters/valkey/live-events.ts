import { EventEmitter, once } from 'node:events';
import { type Cursor, isDelta, type LiveEntry } from '../../contracts/events';
import { valkeyKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { type StepWords, wordsWith } from '../../domain/step-words';
import type { Logger } from '../../logging';
import type { TenantCipher } from '../../ports/cipher';
import type { LiveEvents, LiveSubscription } from '../../ports/live-events';
import { calling, type Valkey } from './connection';
import { defineScript } from './scripts';

/** About a long answer's worth of deltas, when each leaves by itself. */
const maxRetainedBatches = 2_000;
/** Of words that come faster than they leave: large enough for a step's events, small enough that many do not wait for one. */
const maxBatch = 16;
const retainSeconds = 3_600;
/** What a reader that does not read may hold up; it finds the rest in the log. */
const maxBuffered = 5_000;
const subscribeWithinMs = 1_000;
/** What the entries of a stream are sealed as. */
export const liveCipherContext = { purpose: 'live' };

/**
 * KEYS[1] stream and channel. ARGV[1] batch · ARGV[2] the last event in it or before it · ARGV[3], [4] of how many words it is the end, and behind which event these come
 * (empty: of as many as before) · ARGV[5] batches kept · ARGV[6] seconds. What was written beside the step meanwhile stands before its words; words of a step that is over
 * are refused, as is whatever comes late or twice: ids only grow.
 */
const tell = `
local lastSeq, lastN, lastAfter = 0, 0, 0
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last then
  local seq, n = string.match(last[1], '(%d+)-(%d+)')
  lastSeq, lastN, lastAfter = tonumber(seq), tonumber(n), tonumber(last[2][4] or 0)
end
local seq, n, after = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]) or lastAfter
if n > 0 and after >= lastAfter then seq = math.max(seq, lastSeq) end
if seq > lastSeq or (seq == lastSeq and n > lastN) then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], seq .. '-' .. n, 'batch', ARGV[1], 'after', after)
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[6])
`;

/** KEYS[1] stream. ARGV[1], [2] a cursor. Returns behind which event the words come that are under way there, and all batches that end behind what its reader has of them. */
const read = `
local before = redis.call('XREVRANGE', KEYS[1], ARGV[1] .. '-' .. ARGV[2], '-', 'COUNT', 1)[1]
local after = before and before[2][4] or ARGV[1]
return { after, redis.call('XRANGE', KEYS[1], after .. '-' .. ARGV[2], '+') }
`;

type Kept = [after: Buffer, batches: (readonly [id: Buffer, fields: readonly Buffer[]])[]];

/** The last event in an entry or before it. */
const seqOf = (entry: LiveEntry): number => (isDelta(entry) ? entry.afterSeq : entry.seq);

/** Tells it from all others of its session. */
const nameOf = (entry: LiveEntry): string => (isDelta(entry) ? `${entry.afterSeq}.${entry.n}` : String(entry.seq));

/** What a reader lacks, each entry once: a worker that tries again sends some of them twice. @param words - those it has of the step that is under way. */
function following({ seq }: Cursor, words: StepWords, entries: readonly LiveEntry[]): LiveEntry[] {
  let reached = { seq, words };
  return entries.filter((entry) => {
    const before = reached;
    reached = { seq: isDelta(entry) ? before.seq : Math.max(before.seq, entry.seq), words: wordsWith(before.words, entry) };
    return isDelta(entry) ? reached.words !== before.words : entry.seq > before.seq;
  });
}

/** Whether a reader who stands there was told the entry last, or before that in the same step. */
const isReached = (entry: LiveEntry, { seq, n }: Cursor): boolean => seqOf(entry) === seq && (!isDelta(entry) || entry.n <= n);

interface Dependencies {
  readonly valkey: Valkey;
  readonly cipher: TenantCipher;
  readonly logger: Logger;
  /** What a session's stream keeps, roughly. */
  readonly maxBatches?: number;
}

/** Live entries through Valkey, sealed under the tenant's key: a stream keeps them for readers to come, a channel wakes those there. */
export function createLiveEvents({ valkey, cipher, logger, maxBatches = maxRetainedBatches }: Dependencies): LiveEvents {
  const outgoing = new Map<string, LiveEntry[]>();
  const channels = new Channels(valkey);
  const tellAll = defineScript(valkey, 'tellLiveEntries', tell);
  const readKept = defineScript<Kept>(valkey, 'readLiveEntries', read, 'bytes');

  const seal = async ({ tenantId }: SessionRef, batch: readonly LiveEntry[]) =>
    Buffer.from(await cipher.seal(tenantId, liveCipherContext, Buffer.from(JSON.stringify(batch))));
  const open = async ({ tenantId }: SessionRef, sealed: Buffer) =>
    JSON.parse(Buffer.from(await cipher.open(tenantId, liveCipherContext, sealed)).toString('utf8')) as LiveEntry[];

  async function send(session: SessionRef, key: string, batch: readonly LiveEntry[]): Promise<void> {
    const words = batch.reduce(wordsWith, { after: undefined, n: 0 });
    const sealed = await seal(session, batch);
    // The id is the cursor of who has it all: a reader fetches what it lacks. One that does not follow is refused, and read in the log.
    await tellAll([key], sealed, Math.max(...batch.map(seqOf)), words.n, words.after ?? '', maxBatches, retainSeconds);
  }

  /** One batch after the other: what comes while one is on its way leaves with the next. */
  async function drain(session: SessionRef, key: string, waiting: LiveEntry[]): Promise<void> {
    while (waiting.length > 0)
      await send(session, key, waiting.splice(0, maxBatch)).catch((error: unknown) => logger.debug({ err: error, ...session }, 'live entries were not published; readers find them in the log'));
    outgoing.delete(key);
  }

  return {
    publish(session, entries) {
      if (entries.length === 0) return;
      const key = valkeyKeys.live(session.tenantId, session.sessionId);
      const underWay = outgoing.get(key);
      if (underWay) {
        underWay.push(...entries);
        return;
      }
      const waiting = [...entries];
      outgoing.set(key, waiting);
      void drain(session, key, waiting);
    },

    async follow(session, cursor) {
      const key = valkeyKeys.live(session.tenantId, session.sessionId);
      const subscription = new Subscription((sealed) => open(session, sealed), () => channels.leave(key, subscription));
      try {
        await calling(() => channels.join(key, subscription));
        const [after, kept] = await calling(() => readKept([key], cursor.seq, cursor.n));
        const entries = (await Promise.all(kept.map(([, fields]) => open(session, fields[1] ?? Buffer.alloc(0))))).flat();
        const reachesBack = entries.some((entry) => isReached(entry, cursor));
        subscription.begin(following(cursor, { after: Number(after.toString()), n: cursor.n }, entries), reachesBack);
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
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('Valkey did not answer in time.')), subscribeWithinMs)));
  try {
    await Promise.race([command, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

class Subscription implements LiveSubscription {
  retained: readonly LiveEntry[] = [];
  reachesBack = false;
  private told: ReadonlySet<string> = new Set();
  private buffer: LiveEntry[] = [];
  private opening = Promise.resolve();
  private readonly arrivals = new EventEmitter();

  constructor(
    readonly open: (sealed: Buffer) => Promise<readonly LiveEntry[]>,
    private readonly onClose: () => void,
  ) {}

  /** What was published while we asked for what is retained came both ways. */
  begin(retained: readonly LiveEntry[], reachesBack: boolean): void {
    this.retained = retained;
    this.reachesBack = reachesBack;
    this.told = new Set(retained.map(nameOf));
    this.buffer = this.buffer.filter((entry) => this.isNew(entry));
  }

  /** Kept in the order in which they came, however long each takes to open. */
  take(opened: Promise<readonly LiveEntry[]>): void {
    this.opening = this.opening
      .then(async () => {
        const fresh = (await opened).filter((entry) => this.isNew(entry));
        if (fresh.length === 0) return;
        this.buffer.push(...fresh);
        this.buffer.splice(0, this.buffer.length - maxBuffered);
        this.arrivals.emit('entry');
      })
      .catch(() => undefined);
    opened.catch(() => undefined);
  }

  async next(waitMs: number, signal?: AbortSignal): Promise<readonly LiveEntry[]> {
    if (this.buffer.length === 0) await this.arrival(waitMs, signal);
    return this.buffer.splice(0);
  }

  private async arrival(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    const idle = new AbortController();
    const stop = () => idle.abort();
    const timer = setTimeout(stop, waitMs);
    signal?.addEventListener('abort', stop);
    await once(this.arrivals, 'entry', { signal: idle.signal }).catch(() => undefined);
    signal?.removeEventListener('abort', stop);
    clearTimeout(timer);
  }

  close(): void {
    this.onClose();
  }

  private isNew(entry: LiveEntry): boolean {
    return !this.told.has(nameOf(entry));
  }
}
