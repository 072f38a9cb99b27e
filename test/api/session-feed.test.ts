/** @jest-environment ./test/support/outer-errors.ts */
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { type FeedInput, sessionFeed } from '../../src/api/session-feed';
import { answerOf } from '../../src/api/turns';
import { createValkey, type Valkey } from '../../src/adapters/valkey/connection';
import { createLiveEvents } from '../../src/adapters/valkey/live-events';
import { type Cursor, cursorOf, type EventBody, type LiveEntry, maxBatchEvents, parseCursor, type SessionEvent, type TextDelta } from '../../src/contracts/events';
import { valkeyKeys } from '../../src/contracts/names';
import type { SessionRef } from '../../src/contracts/session';
import { createLogger } from '../../src/logging';
import type { LiveEvents } from '../../src/ports/live-events';
import { collectGarbage } from '../support/collect-garbage';
import { cipher, config, log, newSession, standingTenant } from '../adapters/aws/tenants';
import { type CuttableLine, openLine } from './cuttable-line';

const logger = createLogger('api', 'silent');
const turnId = 'turn-1';
const closing: EventBody = { type: 'session.closed' };
const queued: EventBody = { type: 'turn.queued', turnId };
const reset: EventBody = { type: 'step.reset', turnId, step: 1, attempt: 2 };
const delta = (afterSeq: number, n: number): TextDelta => ({ type: 'text.delta', turnId, step: 1, afterSeq, n, text: `${afterSeq}.${n} ` });

let tenantId: string;
let valkey: Valkey;
let live: LiveEvents;
beforeAll(async () => {
  ({ tenantId } = await standingTenant());
  valkey = createValkey(config.valkey.url, logger);
  live = createLiveEvents({ valkey, cipher, logger });
});
afterAll(() => valkey.close());

/** A session as its worker writes it: the log first, then the live path, of which each test decides what it does. */
class Writer {
  readonly session: SessionRef = newSession(tenantId);
  head = 0;

  async append(...events: readonly EventBody[]): Promise<SessionEvent[]> {
    const written = await log.append(this.session, { after: this.head, key: `batch-${this.head}`, events });
    this.head = written.head;
    return written.events;
  }

  publish(...entries: readonly LiveEntry[]): void {
    live.publish(this.session, entries);
  }
}

const leaving = new AbortController();
afterAll(() => leaving.abort());

const feedOf = ({ session }: Writer, input: Partial<FeedInput> = {}) =>
  sessionFeed({ session, cursor: { seq: 0, n: 0 }, log, live, signal: leaving.signal, ...input });

type Feed = ReturnType<typeof feedOf>;

/** What comes next, quiet seconds included. */
async function takeRaw(feed: Feed, count: number): Promise<(LiveEntry | 'idle' | 'end')[]> {
  const taken: (LiveEntry | 'idle' | 'end')[] = [];
  while (taken.length < count) {
    const next = await feed.next();
    taken.push(next.done === true ? 'end' : next.value);
  }
  return taken;
}

/** The next entries, however long they take. */
async function take(feed: Feed, count: number): Promise<(LiveEntry | 'end')[]> {
  const taken: (LiveEntry | 'end')[] = [];
  while (taken.length < count) taken.push(...(await takeRaw(feed, 1)).filter((entry) => entry !== 'idle'));
  return taken;
}

async function all(feed: Feed): Promise<LiveEntry[]> {
  const entries: LiveEntry[] = [];
  for await (const entry of feed) if (entry !== 'idle') entries.push(entry);
  return entries;
}

/** A reader who has seen the first event, and listens since. */
async function listening(): Promise<{ writer: Writer; feed: Feed }> {
  const writer = new Writer();
  const first = await writer.append({ type: 'session.started' });
  const feed = feedOf(writer);
  expect(await take(feed, 1)).toEqual(first);
  return { writer, feed };
}

describe('from the log', () => {
  it('gives a closed session whole, however long it is, and ends', async () => {
    const writer = new Writer();
    const events: SessionEvent[] = [];
    for (let batch = 0; batch < 7; batch++) events.push(...(await writer.append(...Array<EventBody>(maxBatchEvents).fill(queued))));
    events.push(...(await writer.append(closing)));
    expect(await all(feedOf(writer))).toEqual(events);
    expect(await all(feedOf(writer, { cursor: { seq: 100, n: 3 } }))).toEqual(events.slice(100));
  });

  it('finds after a quiet second what the live path lost', async () => {
    const { writer, feed } = await listening();
    const lost = await writer.append(queued, closing);
    expect(await takeRaw(feed, 4)).toEqual(['idle', ...lost, 'end']);
  });

  it('says once a second that nothing comes', async () => {
    const { feed } = await listening();
    const startedAtMs = performance.now();
    expect(await takeRaw(feed, 2)).toEqual(['idle', 'idle']);
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_900);
  });
});

describe('live', () => {
  it('passes everything as it comes, and reads the log for none of it', async () => {
    const { writer, feed } = await listening();
    const reads = jest.spyOn(log, 'read');
    for (const event of await writer.append(queued, reset, queued)) {
      for (const entry of [event, delta(event.seq, 1), delta(event.seq, 2)]) {
        writer.publish(entry);
        expect(await take(feed, 1)).toEqual([entry]);
      }
    }
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
    await feed.return(undefined);
  });

  it('begins with the live path alone for who knows to be at the head', async () => {
    const { writer, feed } = await listening();
    const events = await writer.append(queued, closing);
    writer.publish(...events);
    expect(await all(feed)).toEqual(events);
    const reads = jest.spyOn(log, 'read');
    expect(await all(feedOf(writer, { cursor: { seq: 1, n: 0 }, isAtHead: true }))).toEqual(events);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
  });

  it('begins with the live path alone where that reaches back to its reader', async () => {
    const { writer, feed } = await listening();
    const [second] = await writer.append(queued);
    writer.publish(second as SessionEvent);
    expect(await take(feed, 1)).toEqual([second]);
    const reads = jest.spyOn(log, 'read');
    const returning = feedOf(writer, { cursor: { seq: 2, n: 0 } });
    const coming = take(returning, 2);
    const events = await writer.append(reset, queued);
    writer.publish(...events);
    expect(await coming).toEqual(events);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
    // What is lost is found as ever.
    const lost = await writer.append(closing);
    expect(await takeRaw(returning, 3)).toEqual(['idle', ...lost, 'end']);
    await feed.return(undefined);
  });

  it('reads nothing for a reader who has gone', async () => {
    const { writer, feed } = await listening();
    const gone = new AbortController();
    const left = feedOf(writer, { cursor: { seq: 1, n: 0 }, isAtHead: true, signal: gone.signal });
    const second = await writer.append(queued);
    writer.publish(...second);
    expect(await take(left, 1)).toEqual(second);
    const last = left.next();
    const reads = jest.spyOn(log, 'read');
    const events = await writer.append(queued, reset, queued, closing);
    gone.abort();
    writer.publish(...events);
    expect(await last).toMatchObject({ done: true });
    expect(await all(feed)).toEqual([...second, ...events]);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
  });

  it('goes on inside a step, from what is retained', async () => {
    const { writer, feed } = await listening();
    const deltas = [1, 2, 3, 4].map((n) => delta(1, n));
    writer.publish(...deltas);
    expect(await take(feed, 4)).toEqual(deltas);
    const resumed = feedOf(writer, { cursor: { seq: 1, n: 2 } });
    expect(await take(resumed, 2)).toEqual(deltas.slice(2));
    await Promise.all([feed.return(undefined), resumed.return(undefined)]);
  });

  it('puts events in order that come in another one, and tells none twice', async () => {
    const { writer, feed } = await listening();
    const [second, third, fourth] = (await writer.append(queued, queued, closing)) as [SessionEvent, SessionEvent, SessionEvent];
    writer.publish(third, second, third, second, fourth);
    expect(await takeRaw(feed, 4)).toEqual([second, third, fourth, 'end']);
  });

  it('reads the log before a delta of an event it has not told', async () => {
    const { writer, feed } = await listening();
    const lost = await writer.append(queued, queued);
    writer.publish(delta(3, 1));
    expect(await takeRaw(feed, 3)).toEqual([...lost, delta(3, 1)]);
    await feed.return(undefined);
  });

  it('drops what the log does not have', async () => {
    const { writer, feed } = await listening();
    writer.publish(delta(9, 1), { ...queued, seq: 9, at: new Date().toISOString() }, delta(1, 1));
    expect(await takeRaw(feed, 1)).toEqual([delta(1, 1)]);
    await feed.return(undefined);
  });

  it('drops deltas that are stale, repeated, or behind a lost one', async () => {
    const { writer, feed } = await listening();
    writer.publish(delta(1, 1), delta(1, 1), delta(1, 3), delta(1, 4));
    const events = await writer.append(reset, closing);
    writer.publish(events[0] as SessionEvent, delta(1, 2), delta(2, 1), delta(2, 2), events[1] as SessionEvent);
    expect(await all(feed)).toEqual([delta(1, 1), events[0], delta(2, 1), delta(2, 2), events[1]]);
  });
});

describe('while Valkey is away', () => {
  let line: CuttableLine;
  let distant: Valkey;
  beforeEach(async () => {
    line = await openLine(config.valkey.url);
    distant = createValkey(line.url, logger);
  });
  afterEach(async () => {
    await distant.close();
    await line.cut();
  });

  it('tells from the log, and is live again by itself afterwards', async () => {
    await line.cut();
    const writer = new Writer();
    const feed = feedOf(writer, { live: createLiveEvents({ valkey: distant, cipher, logger }) });
    const first = await writer.append({ type: 'session.started' });
    expect(await takeRaw(feed, 2)).toEqual([...first, 'idle']);
    await line.mend();
    await untilLive(writer, feed, 1);

    await line.cut();
    const missed = await writer.append(queued);
    expect(await take(feed, 1)).toEqual(missed);
    await line.mend();
    await untilLive(writer, feed, 2);

    const last = await writer.append(closing);
    expect(await all(feed)).toEqual(last);
  });

  it('reads the log for those at the head, too', async () => {
    await line.cut();
    const writer = new Writer();
    const events = await writer.append(queued, closing);
    expect(await all(feedOf(writer, { isAtHead: true, live: createLiveEvents({ valkey: distant, cipher, logger }) }))).toEqual(events);
  });

  /** Deltas come by the live path only: says one until it arrives. */
  async function untilLive(writer: Writer, feed: Feed, afterSeq: number): Promise<void> {
    const said = delta(afterSeq, 1);
    do writer.publish(said);
    while ((await takeRaw(feed, 1))[0] === 'idle');
  }
});

describe('ends', () => {
  it('when the reader has gone, in a quiet second', async () => {
    const writer = new Writer();
    const events = await writer.append(queued);
    expect(await all(feedOf(writer, { signal: AbortSignal.timeout(200) }))).toEqual(events);
  });

  it('when the time for an answer is up, whatever is collected meanwhile', async () => {
    const { session, head } = new Writer();
    const collecting: LiveEvents = { ...live, follow: (...from) => live.follow(...from).finally(collectGarbage) };
    const waiting = { signal: new AbortController().signal, timeoutMs: 300 };
    expect(await answerOf({ log, live: collecting }, session, { sessionId: session.sessionId, turnId, after: head }, waiting)).toBeUndefined();
  }, 20_000);

  it('when the reader has gone, in the midst of the log', async () => {
    const writer = new Writer();
    const [first] = await writer.append(queued, queued, queued);
    const gone = new AbortController();
    const feed = feedOf(writer, { signal: gone.signal });
    expect(await take(feed, 1)).toEqual([first]);
    gone.abort();
    expect(await take(feed, 1)).toEqual(['end']);
  });

  it('at once for a reader who never came', async () => {
    expect(await all(feedOf(new Writer(), { signal: AbortSignal.abort() }))).toEqual([]);
  });

  it('and listens no more', async () => {
    const { writer, feed } = await listening();
    const channel = valkeyKeys.live(tenantId, writer.session.sessionId);
    const listeners = async () => Number((await valkey.commands.pubsub('NUMSUB', channel))[1]);
    expect(await listeners()).toBe(1);
    await feed.return(undefined);
    while ((await listeners()) > 0) await delay(10);
  });
});

/** What becomes of one entry on the live path: how often it comes, and behind how many others. */
interface Fate {
  readonly copies: number;
  readonly lateBy: number;
}

const fate = fc.record<Fate>({
  copies: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.constantFrom(0, 2)),
  lateBy: fc.oneof({ weight: 7, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 4 })),
});
const write = fc.record({
  events: fc.array(fc.constantFrom(queued, reset), { minLength: 1, maxLength: 3 }),
  eventFates: fc.tuple(fate, fate, fate),
  deltaFates: fc.array(fate, { maxLength: 5 }),
});
/** After how many entries a reader loses its connection, again and again; the last one holds. */
const stays = fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 4 });

type Write = { readonly events: readonly EventBody[]; readonly eventFates: readonly Fate[]; readonly deltaFates: readonly Fate[] };

/** Publishes into disorder: each entry has its turn, and those that are late come at a later one's. */
class Disorder {
  private readonly due: LiveEntry[][] = [];
  private turn = 0;

  constructor(private readonly writer: Writer) {}

  publish(entry: LiveEntry, { copies, lateBy }: Fate): void {
    (this.due[this.turn + lateBy] ??= []).push(...Array<LiveEntry>(copies).fill(entry));
    this.writer.publish(...(this.due[this.turn] ?? []));
    this.turn += 1;
  }

  publishTheLate(): void {
    this.writer.publish(...this.due.slice(this.turn).flat());
  }
}

async function writeAll(writer: Writer, writes: readonly Write[]): Promise<void> {
  const disorder = new Disorder(writer);
  for (const { events, eventFates, deltaFates } of writes) {
    const written = await writer.append(...events);
    for (const [index, event] of written.entries()) disorder.publish(event, eventFates[index] as Fate);
    for (const [index, deltaFate] of deltaFates.entries()) disorder.publish(delta(writer.head, index + 1), deltaFate);
  }
  disorder.publishTheLate();
}

/** All that a client sees that comes back with its last cursor whenever its connection breaks. */
async function readAll(writer: Writer, stays: readonly number[]): Promise<LiveEntry[]> {
  const view: LiveEntry[] = [];
  const signal = AbortSignal.timeout(10_000);
  for (const stay of [...stays, Infinity]) {
    const last = view.at(-1);
    if (last?.type === 'session.closed') break;
    const endsAt = view.length + stay;
    for await (const entry of feedOf(writer, { cursor: placeOf(last), signal })) {
      if (entry !== 'idle') view.push(entry);
      if (view.length === endsAt) break;
    }
  }
  return view;
}

const placeOf = (entry: LiveEntry | undefined): Cursor => (entry && parseCursor(cursorOf(entry))) ?? { seq: 0, n: 0 };

function expectEachBehindTheOther(view: readonly LiveEntry[]): void {
  for (const [index, entry] of view.entries()) {
    const { seq, n } = placeOf(view[index - 1]);
    expect(placeOf(entry)).toEqual(entry.type === 'text.delta' ? { seq, n: n + 1 } : { seq: seq + 1, n: 0 });
  }
}

/** The guarantee to a client: whatever the live path does to entries, and whenever the connection breaks. */
it('tells every client the whole log once and in order, and deltas without repeat or gap', async () => {
  const plan = fc.record({ writes: fc.array(write, { maxLength: 12 }), closingFate: fate, readers: fc.array(stays, { minLength: 3, maxLength: 3 }) });
  await fc.assert(
    fc.asyncProperty(plan, async ({ writes, closingFate, readers }) => {
      const writer = new Writer();
      const ending: Write = { events: [closing], eventFates: [closingFate], deltaFates: [] };
      const [, ...views] = await Promise.all([writeAll(writer, [...writes, ending]), ...readers.map((reader) => readAll(writer, reader))]);
      const events = await log.read(writer.session, { after: 0 });
      for (const view of views) {
        expectEachBehindTheOther(view);
        expect(view.filter(({ type }) => type !== 'text.delta')).toEqual(events);
      }
    }),
    { numRuns: 30, interruptAfterTimeLimit: 45_000 },
  );
});
