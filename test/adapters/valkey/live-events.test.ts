import { setImmediate } from 'node:timers/promises';
import { createLiveEvents } from '../../../src/adapters/valkey/live-events';
import { createValkey, type Valkey } from '../../../src/adapters/valkey/connection';
import { loadConfig } from '../../../src/config';
import { codeOf } from '../../../src/contracts/errors';
import type { LiveEntry, SessionEvent, TextDelta } from '../../../src/contracts/events';
import type { SessionRef } from '../../../src/contracts/session';
import type { LiveEvents, LiveSubscription } from '../../../src/ports/live-events';
import { cipher, newSession, standingTenant } from '../aws/tenants';
import { connected, ownValkey, quiet, untilAnswers } from './own-valkey';

const fromStart = { seq: 0, n: 0 };
const patienceMs = 5_000;

const event = (seq: number): SessionEvent => ({ seq, at: '2026-01-01T00:00:00.000Z', type: 'step.started', turnId: 'turn-1', step: seq });
/** Comes whatever the session is at. */
const queued = (seq: number): SessionEvent => ({ seq, at: '2026-01-01T00:00:00.000Z', type: 'turn.queued', turnId: `turn-${seq}` });
const delta = (afterSeq: number, n: number): TextDelta => ({ type: 'text.delta', turnId: 'turn-1', step: 1, afterSeq, n, text: `word ${n} ` });
const deltas = (afterSeq: number, count: number): TextDelta[] => Array.from({ length: count }, (_, index) => delta(afterSeq, index + 1));

let tenantId: string;
let worker: Valkey;
let api: Valkey;
beforeAll(async () => {
  const { url } = loadConfig().valkey;
  ({ tenantId } = await standingTenant());
  [worker, api] = await Promise.all([connected(url), connected(url)]);
});
afterAll(() => Promise.all([worker.close(), api.close()]));

const liveOver = (valkey: Valkey): LiveEvents => createLiveEvents({ valkey, cipher, logger: quiet });

/** All that comes until `last` has come, or nothing came for a while. */
async function readUntil(reader: LiveSubscription, last: LiveEntry): Promise<LiveEntry[]> {
  const read: LiveEntry[] = [];
  while (JSON.stringify(read.at(-1)) !== JSON.stringify(last)) {
    const fresh = await reader.next(patienceMs);
    if (fresh.length === 0) break;
    read.push(...fresh);
  }
  return read;
}

/** Published entries arrive when they arrive: a reader that has seen the last tells. */
async function published(live: LiveEvents, session: SessionRef, entries: readonly LiveEntry[]): Promise<void> {
  const witness = await live.follow(session, fromStart);
  live.publish(session, entries);
  const last = entries.at(-1);
  if (last) await readUntil(witness, last);
  witness.close();
}

it('retains what was published, from the cursor on, in order', async () => {
  const session = newSession(tenantId);
  const entries = [event(1), ...deltas(1, 3), event(2), ...deltas(2, 2)];
  await published(liveOver(worker), session, entries);
  const reading = liveOver(api);
  const readers = await Promise.all([fromStart, { seq: 1, n: 2 }, { seq: 2, n: 0 }, { seq: 2, n: 2 }, { seq: 9, n: 0 }].map((cursor) => reading.follow(session, cursor)));
  expect(readers.map(({ retained }) => retained)).toEqual([entries, entries.slice(3), entries.slice(5), [], entries.slice(5)]);
  expect(readers.map(({ reachesBack }) => reachesBack)).toEqual([false, true, true, true, false]);
  for (const reader of readers) reader.close();
});

it('loses and repeats nothing between what is retained and what comes', async () => {
  const session = newSession(tenantId);
  const writing = liveOver(worker);
  const reading = liveOver(api);
  const entries = deltas(0, 300);
  const readers: Promise<LiveEntry[]>[] = [];
  for (const [index, entry] of entries.entries()) {
    writing.publish(session, [entry]);
    // Readers arrive all along, in the middle of what is being written.
    if (index % 60 === 30) readers.push(reading.follow(session, fromStart).then(async (reader) => [...reader.retained, ...(await readUntil(reader, delta(0, 300)))]));
    await setImmediate();
  }
  for (const read of await Promise.all(readers)) expect(read).toEqual(entries);
});

it('sends what comes while a batch is on its way, in order', async () => {
  const session = newSession(tenantId);
  const live = liveOver(worker);
  const reader = await live.follow(session, fromStart);
  const entries = deltas(0, 100);
  const turns = entries.map(async (entry, index) => {
    // Some come in the very moment in which the batch before is done.
    for (let turn = 0; turn < index * 3; turn += 1) await Promise.resolve();
    live.publish(session, [entry]);
  });
  await Promise.all(turns);
  expect(await readUntil(reader, delta(0, 100))).toEqual(entries);
  live.publish(session, [event(2)]);
  expect(await reader.next(patienceMs)).toEqual([event(2)]);
  reader.close();
});

it('serves two readers of one session over one connection, and the one that stays when the other leaves', async () => {
  const session = newSession(tenantId);
  const reading = liveOver(api);
  const [stays, leaves] = await Promise.all([reading.follow(session, fromStart), reading.follow(session, fromStart)]);
  liveOver(worker).publish(session, [event(1)]);
  expect(await Promise.all([stays.next(patienceMs), leaves.next(patienceMs)])).toEqual([[event(1)], [event(1)]]);
  leaves.close();
  liveOver(worker).publish(session, [event(2)]);
  expect(await stays.next(patienceMs)).toEqual([event(2)]);
  stays.close();
});

it('tells sessions apart, and waits no longer than it is told', async () => {
  const [one, other] = [newSession(tenantId), newSession(tenantId)];
  const reader = await liveOver(api).follow(one, fromStart);
  await published(liveOver(worker), other, [event(1)]);
  expect([reader.retained, await reader.next(20)]).toEqual([[], []]);
  reader.close();
});

it('lets no one read what it carries without the tenant’s key', async () => {
  const session = newSession(tenantId);
  await published(liveOver(worker), session, [delta(0, 1)]);
  const [key = ''] = await api.commands.keys(`*${session.sessionId}`);
  const kept = (await api.commands.xrangeBuffer(key, '-', '+')).flatMap(([, fields]) => fields);
  expect(Buffer.concat(kept).includes('word 1')).toBe(false);
});

it('keeps no more than a bound for a reader that does not read', async () => {
  const session = newSession(tenantId);
  const idle = await liveOver(api).follow(session, fromStart);
  const entries = deltas(0, 6_000);
  await published(createLiveEvents({ valkey: worker, cipher, logger: quiet, maxBatches: 100 }), session, entries);
  // The witness is on the same connection; one more tells that the idle reader has seen the last, too.
  // On a slow machine some may still be on their way to it: what it holds at a time is what is bounded.
  let held: readonly LiveEntry[];
  do {
    held = await idle.next(patienceMs);
    expect(held.length).toBeLessThanOrEqual(5_000);
  } while (JSON.stringify(held.at(-1)) !== JSON.stringify(entries.at(-1)));
  // What is retained for those to come is bounded, too.
  const late = await liveOver(api).follow(session, fromStart);
  expect(late.retained.length).toBeLessThanOrEqual(3_200);
  expect(late.retained.at(-1)).toEqual(entries.at(-1));
  for (const reader of [idle, late]) reader.close();
});

it('retains nothing twice, whatever a retried worker sends', async () => {
  const session = newSession(tenantId);
  const live = liveOver(worker);
  for (const entries of [[event(1), event(2)], [event(1), event(2)], [delta(1, 1)]]) live.publish(session, entries);
  await published(live, session, [event(3)]);
  const reader = await liveOver(api).follow(session, fromStart);
  expect(reader.retained).toEqual([event(1), event(2), event(3)]);
  reader.close();
});

describe('a step in whose middle another worker writes', () => {
  const words = (from: number, to: number) => deltas(2, to).slice(from - 1);
  let thinking: LiveEvents;
  let announcing: LiveEvents;
  beforeAll(() => ([thinking, announcing] = [liveOver(worker), liveOver(api)]));

  it('retains its words behind that, and gives each reader those it lacks', async () => {
    const session = newSession(tenantId);
    await published(thinking, session, [event(1), delta(1, 1), event(2), ...words(1, 2)]);
    await published(announcing, session, [queued(3)]);
    await published(thinking, session, words(3, 4));
    await published(announcing, session, [queued(4), queued(5)]);
    await published(thinking, session, words(5, 6));
    const cursors = [{ seq: 2, n: 0 }, { seq: 2, n: 1 }, { seq: 3, n: 0 }, { seq: 3, n: 2 }, { seq: 3, n: 4 }, { seq: 4, n: 4 }, { seq: 5, n: 5 }, { seq: 5, n: 6 }];
    const readers = await Promise.all(cursors.map((cursor) => announcing.follow(session, cursor)));
    const [then, later] = [[queued(3), ...words(3, 4)], [queued(4), queued(5), ...words(5, 6)]];
    expect(readers.map(({ retained }) => retained)).toEqual([
      [...words(1, 2), ...then, ...later],
      [...words(2, 2), ...then, ...later],
      [...words(1, 2), ...words(3, 4), ...later],
      [...words(3, 4), ...later],
      later,
      [queued(5), ...words(5, 6)],
      words(6, 6),
      [],
    ]);
    expect(readers.every(({ reachesBack }) => reachesBack)).toBe(true);
    for (const reader of readers) reader.close();
  });

  it('retains them also for who has read in the log what is announced later than that', async () => {
    const session = newSession(tenantId);
    await published(thinking, session, [event(2), ...words(1, 2)]);
    const reader = await announcing.follow(session, { seq: 3, n: 0 });
    expect([reader.retained, reader.reachesBack]).toEqual([words(1, 2), false]);
    reader.close();
  });

  it('retains them when that was told before the step was', async () => {
    const session = newSession(tenantId);
    await published(thinking, session, [event(1)]);
    await published(announcing, session, [queued(3)]);
    await published(thinking, session, [event(2), ...words(1, 1)]);
    await published(thinking, session, words(2, 2));
    const reader = await announcing.follow(session, { seq: 3, n: 0 });
    expect(reader.retained).toEqual(words(1, 2));
    reader.close();
  });

  it('refuses the words of an attempt that another has taken the place of, and keeps those of that', async () => {
    const session = newSession(tenantId);
    await published(thinking, session, [event(2), ...words(1, 2), event(3)]);
    await published(announcing, session, [queued(4)]);
    await published(thinking, session, words(3, 9));
    await published(thinking, session, deltas(3, 2));
    const reader = await announcing.follow(session, fromStart);
    expect(reader.retained).toEqual([event(2), ...words(1, 2), event(3), queued(4), ...deltas(3, 2)]);
    reader.close();
  });
});

describe('while Valkey is away', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  beforeAll(() => void process.on('unhandledRejection', note));
  afterAll(() => void process.off('unhandledRejection', note));

  it('fails fast, loses nobody’s work, and goes on by itself with the readers it had', async () => {
    const own = await ownValkey();
    const [writing, reading] = await Promise.all([connected(own.url), connected(own.url)]);
    const [writer, readers] = [liveOver(writing), liveOver(reading)];
    const session = newSession(tenantId);
    const reader = await readers.follow(session, fromStart);
    writer.publish(session, [event(1)]);
    expect(await reader.next(patienceMs)).toEqual([event(1)]);

    await own.server.stop('SIGKILL');
    const askedAtMs = performance.now();
    expect(await readers.follow(session, fromStart).then(() => 'none', codeOf)).toBe('dependency/unavailable');
    expect(performance.now() - askedAtMs).toBeLessThan(10_000);
    writer.publish(session, [event(2)]);
    expect(await reader.next(50)).toEqual([]);

    const resubscribed = new Promise((resolve) => reading.subscriber().once('ready', resolve));
    await own.server.start();
    await Promise.all([untilAnswers(writing), untilAnswers(reading), resubscribed]);
    const again = await readers.follow(session, fromStart);
    writer.publish(session, [event(3)]);
    // The second may have been on its way when Valkey came back: it is heard, then, too.
    for (const one of [reader, again]) expect((await readUntil(one, event(3))).at(-1)).toEqual(event(3));

    for (const one of [reader, again]) one.close();
    await Promise.all([writing.close(), reading.close()]);
    await own.end();
    expect(unhandled).toEqual([]);
  });

  it('starts without Valkey, and never fails who publishes', async () => {
    const valkey = createValkey('redis://127.0.0.1:1', quiet);
    const live = liveOver(valkey);
    const session = newSession(tenantId);
    live.publish(session, [event(1)]);
    expect(await live.follow(session, fromStart).then(() => 'none', codeOf)).toBe('dependency/unavailable');
    await valkey.close();
    await setImmediate();
    expect(unhandled).toEqual([]);
  });
});
