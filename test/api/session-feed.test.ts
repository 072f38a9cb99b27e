/** @jest-environment ./test/support/outer-errors.ts */
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { type FeedInput, sessionFeed, type Told } from '../../src/api/session-feed';
import { answerOf, followTurn } from '../../src/api/turns';
import { createValkey, type Valkey } from '../../src/adapters/valkey/connection';
import { createLiveEvents } from '../../src/adapters/valkey/live-events';
import { type EventBody, isDelta, type LiveEntry, maxBatchEvents, type SessionEvent, type TextDelta } from '../../src/contracts/events';
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
/** Comes whatever the session is at. */
const queued: EventBody = { type: 'turn.queued', turnId: 'turn-2' };
const begun: EventBody = { type: 'step.started', turnId, step: 1 };
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
    taken.push(next.done === true ? 'end' : next.value === 'idle' ? 'idle' : next.value.entry);
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
  for await (const told of feed) if (told !== 'idle') entries.push(told.entry);
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
    for (const event of await writer.append(begun, reset, begun)) {
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
    const lost = await writer.append(queued, begun);
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

describe('a step in whose middle something else is written', () => {
  const words = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => delta(2, from + index));
  /** As readers get them that are behind event `seq`. */
  const behind = (seq: number, deltas: readonly TextDelta[]) => deltas.map((word) => ({ ...word, afterSeq: seq }));

  /** Words 1 and 2 have come, then another message; words 3 and 4 are yet to come. */
  async function interrupted() {
    const { writer, feed } = await listening();
    const [opening] = (await writer.append(begun)) as [SessionEvent];
    writer.publish(opening, ...words(1, 2));
    expect(await take(feed, 3)).toEqual([opening, ...words(1, 2)]);
    const [other] = (await writer.append(queued)) as [SessionEvent];
    return { writer, feed, opening, other };
  }

  it('goes on behind it, and reads the log for none of that', async () => {
    const { writer, feed, other } = await interrupted();
    const reads = jest.spyOn(log, 'read');
    writer.publish(other, ...words(3, 4));
    expect(await take(feed, 3)).toEqual([other, ...behind(3, words(3, 4))]);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
    await feed.return(undefined);
  });

  it('is told whole to who comes from the start, and what is left of it to who comes back', async () => {
    const { writer, feed, opening, other } = await interrupted();
    writer.publish(other, ...words(3, 3));
    expect(await take(feed, 2)).toEqual([other, ...behind(3, words(3, 3))]);
    const late = feedOf(writer);
    expect((await take(late, 6)).slice(1)).toEqual([opening, other, ...behind(3, words(1, 3))]);
    const cursors = [{ seq: 2, n: 0 }, { seq: 2, n: 1 }, { seq: 2, n: 2 }, { seq: 3, n: 2 }, { seq: 3, n: 3 }, { seq: 3, n: 0 }];
    const returning = cursors.map((cursor) => feedOf(writer, { cursor }));
    writer.publish(...words(4, 4));
    const rest = [[...words(1, 2), other, ...behind(3, words(3, 4))], [...words(2, 2), other, ...behind(3, words(3, 4))], [other, ...behind(3, words(3, 4))], behind(3, words(3, 4)), behind(3, words(4, 4)), behind(3, words(1, 4))];
    expect(await Promise.all(returning.map((reader, index) => take(reader, rest[index]?.length ?? 0)))).toEqual(rest);
    await Promise.all([feed, late, ...returning].map((reader) => reader.return(undefined)));
  });

  it('tells the cursor of who has those words, with that event, too', async () => {
    const { writer, feed, other } = await interrupted();
    writer.publish(other, ...words(3, 3));
    expect([await feed.next(), await feed.next()].map(({ value }) => (value as Told).cursor)).toEqual([{ seq: 3, n: 2 }, { seq: 3, n: 3 }]);
    const [again] = (await writer.append(reset)) as [SessionEvent];
    writer.publish(again);
    expect((await feed.next()).value).toEqual({ entry: again, cursor: { seq: 4, n: 0 } });
    await feed.return(undefined);
  });

  it('tells no words of an attempt that was taken back, whoever asks', async () => {
    const { writer, feed, other } = await interrupted();
    const [again] = (await writer.append(reset)) as [SessionEvent];
    const [another] = (await writer.append(queued)) as [SessionEvent];
    // The attempt before does not know yet.
    writer.publish(other, again, ...words(3, 3), another, ...words(4, 4), delta(4, 1));
    expect(await take(feed, 4)).toEqual([other, again, another, { ...delta(4, 1), afterSeq: 5 }]);
    const returning = feedOf(writer, { cursor: { seq: 5, n: 0 } });
    expect(await take(returning, 1)).toEqual([{ ...delta(4, 1), afterSeq: 5 }]);
    await Promise.all([feed, returning].map((reader) => reader.return(undefined)));
  });
});

describe('while what comes is not for its reader', () => {
  /** Words of a step from `n` on, until it is told to stop. */
  function talking(writer: Writer, from: number): { stop(): Promise<void> } {
    const leaving = new AbortController();
    const talk = (async () => {
      for (let n = from; !leaving.signal.aborted; n += 1) {
        writer.publish(delta(1, n));
        await pause(50);
      }
    })();
    return {
      async stop() {
        leaving.abort();
        await talk;
      },
    };
  }

  it('says once a second that there is nothing to tell, and looks at the log', async () => {
    const { writer, feed } = await listening();
    const behindALostOne = talking(writer, 2);
    expect(await takeRaw(feed, 2)).toEqual(['idle', 'idle']);
    const lost = await writer.append(queued);
    expect(await take(feed, 1)).toEqual(lost);
    await behindALostOne.stop();
    await feed.return(undefined);
  });

  it('says so of another turn’s words, too, and tells the turn that was asked for', async () => {
    const { writer, feed } = await listening();
    await feed.return(undefined);
    const asked = { sessionId: writer.session.sessionId, turnId: 'turn-2', after: 1 };
    const turn = followTurn({ log, live }, writer.session, asked, AbortSignal.timeout(30_000));
    const another = talking(writer, 1);
    for (let count = 0; count < 10; count += 1) expect(await turn.next()).toEqual({ done: false, value: 'idle' });
    await another.stop();
    const completed: EventBody = { type: 'turn.completed', turnId: 'turn-2', outcome: 'completed' };
    const [own, foreign, end] = (await writer.append(queued, reset, completed)) as [SessionEvent, SessionEvent, SessionEvent];
    writer.publish(own, foreign, end);
    const rest: SessionEvent[] = [];
    for await (const told of turn) if (told !== 'idle') rest.push(told.entry as SessionEvent);
    expect(rest).toEqual([own, end]);
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
    const missed = await writer.append(begun);
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
    while ((await listeners()) > 0) await pause(10);
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
  let [after, n] = [0, 0];
  for (const { events, eventFates, deltaFates } of writes) {
    const written = await writer.append(...events);
    for (const [index, event] of written.entries()) {
      if (event.type === 'step.reset') [after, n] = [event.seq, 0];
      disorder.publish(event, eventFates[index] as Fate);
    }
    for (const deltaFate of deltaFates) disorder.publish(delta(after, (n += 1)), deltaFate);
  }
  disorder.publishTheLate();
}

/** All that a client sees that comes back with its last cursor whenever its connection breaks. */
async function readAll(writer: Writer, stays: readonly number[]): Promise<Told[]> {
  const view: Told[] = [];
  const signal = AbortSignal.timeout(10_000);
  for (const stay of [...stays, Infinity]) {
    const last = view.at(-1);
    if (last?.entry.type === 'session.closed') break;
    const endsAt = view.length + stay;
    for await (const told of feedOf(writer, { cursor: last?.cursor ?? start, signal })) {
      if (told !== 'idle') view.push(told);
      if (view.length === endsAt) break;
    }
  }
  return view;
}

const start = { seq: 0, n: 0 };

function expectEachBehindTheOther(view: readonly Told[]): void {
  for (const [index, { entry, cursor }] of view.entries()) {
    const { seq, n } = view[index - 1]?.cursor ?? start;
    if (isDelta(entry)) expect([entry.afterSeq, cursor]).toEqual([seq, { seq, n: n + 1 }]);
    else expect([entry.seq, cursor]).toEqual([seq + 1, { seq: seq + 1, n: entry.type === 'turn.queued' ? n : 0 }]);
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
        expect(view.flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]))).toEqual(events);
      }
    }),
    { numRuns: 30, interruptAfterTimeLimit: 45_000 },
  );
});
