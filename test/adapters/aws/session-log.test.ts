import fc from 'fast-check';
import { failureOf, runLedgered } from '../../../src/activities/session/ledgered-call';
import { createSessionLog } from '../../../src/adapters/aws/session-log';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { createToolLedger } from '../../../src/adapters/aws/tool-ledger';
import { DomainError } from '../../../src/contracts/errors';
import { yetToBegin } from '../../../src/domain/beginnings';
import type { EventBody } from '../../../src/contracts/events';
import type { JsonValue } from '../../../src/contracts/model';
import { access, aws, cipher, log, newSession, settings, standingPlatform, standingTenant } from './tenants';

const queued = (turnId: string): EventBody => ({ type: 'turn.queued', turnId });
/** Another process: it shares the table, and nothing else. */
const stranger = () => createSessionLog({ access, cipher });

let tenantId: string;
beforeAll(async () => {
  await standingPlatform();
  ({ tenantId } = await standingTenant());
});

describe('append', () => {
  it('numbers events from 1, without a gap', async () => {
    const session = newSession(tenantId);
    const first = await log.append(session, { after: 0, key: 'a', events: [queued('a'), queued('b')] });
    const second = await log.append(session, { after: 2, key: 'b', events: [queued('c')] });
    expect([...first.events, ...second.events].map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(second).toMatchObject({ head: 3, repeated: false });
    expect(await stranger().read(session, { after: 0 })).toEqual([...first.events, ...second.events]);
  });

  it('keeps no half of a character: nobody could be sent it', async () => {
    const session = newSession(tenantId);
    const { events } = await log.append(session, { after: 0, key: 'a', events: [{ type: 'message.completed', turnId: 'a', step: 1, text: 'blue \ud800', stopReason: 'end_turn' }] });
    expect(events).toMatchObject([{ text: 'blue \ufffd' }]);
    expect(await stranger().read(session, { after: 0 })).toEqual(events);
  });

  it('returns what the first attempt wrote, wherever that stands', async () => {
    const session = newSession(tenantId);
    await log.append(session, { after: 0, key: 'other', events: [queued('other')] });
    const first = await log.append(session, { after: 0, key: 'mine', events: [queued('mine')] });
    await log.append(session, { after: 2, key: 'later', events: [queued('later')] });
    const again = await stranger().append(session, { after: 0, key: 'mine', events: [queued('said differently')] });
    expect(again).toEqual({ ...first, repeated: true });
    expect(await log.read(session, { after: 0 })).toHaveLength(3);
  });

  it('leaves out what another attempt has begun under another key, in whatever process', async () => {
    const session = newSession(tenantId);
    const begun = [{ type: 'session.started' }, queued('a'), { type: 'turn.started', turnId: 'a', text: 'hello' }] satisfies EventBody[];
    const started: EventBody = { type: 'step.started', turnId: 'a', step: 1 };
    const attempts = [
      ['started', [...begun, started]],
      ['paused', [...begun, { type: 'budget.exhausted', turnId: 'a', step: 1, level: 'session', unit: 'tokens' }]],
      ['recalled', [...begun, { type: 'facts.recalled', turnId: 'a', facts: [] }]],
    ] satisfies [string, EventBody[]][];
    await Promise.all(attempts.map(([key, events]) => stranger().append(session, { after: 0, key, events, unwritten: yetToBegin })));
    const types = (await stranger().read(session, { after: 0 })).map(({ type }) => type);
    expect(types.toSorted()).toEqual(['budget.exhausted', 'facts.recalled', 'session.started', 'step.started', 'turn.queued', 'turn.started']);

    expect(await log.append(session, { after: 0, key: 'later', events: [started], unwritten: yetToBegin })).toEqual({ events: [], head: 6, repeated: true });
    expect(await log.append(session, { after: 0, key: 'later', events: [started, queued('b')], unwritten: yetToBegin })).toMatchObject({ events: [queued('b')], head: 7, repeated: false });
  });

  it('keeps batches larger than an item of the table takes', async () => {
    const session = newSession(tenantId);
    const text = 'x'.repeat(20_000);
    const events = Array.from({ length: 40 }, (_, index) => ({ type: 'turn.started', turnId: `turn-${index}`, text }) as const);
    await log.append(session, { after: 0, key: 'large', events });
    const read = await stranger().read(session, { after: 0 });
    expect(read.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(read[39]).toMatchObject({ text });
  });

  it('costs one write and no look, whoever else writes in this process at the same time', async () => {
    const own = createTenantAccess({ sts: aws.sts, settings });
    const calls: string[] = [];
    for (const purpose of ['session-step', 'session-read'] as const)
      own.clients(tenantId, purpose).table.middlewareStack.add((next, { commandName }) => (args) => (calls.push(String(commandName)), next(args)), { step: 'initialize' });
    const counted = createSessionLog({ access: own, cipher });
    const session = newSession(tenantId);
    const append = (key: string, fence = {}) => counted.append(session, { after: 0, key, events: [queued(key)], ...fence });
    const written = await Promise.all(['a', 'b', 'c', 'd'].map((key) => append(key)));
    expect(written.map(({ head }) => head)).toEqual([1, 2, 3, 4]);
    expect(await append('b')).toEqual({ ...written[1], repeated: true });
    await expect(append('e', { notBehind: 'c' })).rejects.toMatchObject({ code: 'turn/ended' });
    await expect(append('e', { onlyAtHead: true })).rejects.toMatchObject({ code: 'log/moved' });
    expect(calls).toEqual(Array(4).fill('PutItemCommand'));
    await stranger().append(session, { after: 4, key: 'elsewhere', events: [queued('elsewhere')] });
    expect(await append('e')).toMatchObject({ head: 6 });
    expect(await stranger().read(session, { after: 0 })).toHaveLength(6);
  });

  it('goes on when another one of its session has failed', async () => {
    const session = newSession(tenantId);
    const [failed, written] = await Promise.allSettled([
      log.append(session, { after: 0, key: 'a', events: [{ type: 'turn.queued', turnId: 1n as unknown as string }] }),
      log.append(session, { after: 0, key: 'b', events: [queued('b')] }),
    ]);
    expect([failed.status, written.status]).toEqual(['rejected', 'fulfilled']);
  });

  it.each([0, 65])('refuses a batch of %i events', async (length) => {
    const events = Array.from({ length }, () => queued('a'));
    await expect(log.append(newSession(tenantId), { after: 0, key: 'a', events })).rejects.toThrow(RangeError);
  });
});

it('is copied up to a batch, in place and time; a copy that died half-way goes on, and what is something else is refused', async () => {
  const [from, to] = [newSession(tenantId), newSession(tenantId)];
  const large = Array.from({ length: 40 }, () => ({ type: 'turn.started', turnId: 'c', text: 'x'.repeat(20_000) }) as const);
  await log.append(from, { after: 0, key: 'a', events: [queued('a'), queued('b')] });
  await log.append(from, { after: 2, key: 'c', events: large });
  await log.append(from, { after: 42, key: 'd', events: [queued('d')] });
  let batches = 0;
  const dying = stranger().copy(from, to, { upTo: 42, onBatch: () => { if ((batches += 1) === 2) throw new Error('killed'); } });
  await expect(dying).rejects.toThrow('killed');
  expect(await log.last(to)).toMatchObject({ seq: 2 });
  await stranger().copy(from, to, { upTo: 42 });
  await stranger().copy(from, to, { upTo: 42 });
  expect(await stranger().read(to, { after: 0 })).toEqual((await stranger().read(from, { after: 0 })).slice(0, 42));
  const other = newSession(tenantId);
  await log.append(other, { after: 0, key: 'b', events: [queued('b')] });
  await expect(log.copy(from, other, { upTo: 42 })).rejects.toMatchObject({ code: 'session/exists' });
});

/** The guarantee of the log: whatever writers repeat, however stale they are, every batch is there once, in one order. */
it('stays gap-free, ordered and free of doubles with eight writers at once in three processes', async () => {
  const writers = fc.array(fc.array(fc.record({ size: fc.integer({ min: 1, max: 5 }), attempts: fc.integer({ min: 1, max: 3 }) }), { maxLength: 3 }), {
    minLength: 8,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(writers, async (plans) => {
      const session = newSession(tenantId);
      const processes = [stranger(), stranger(), stranger()];
      const writes = plans.map(async (plan, writer) => {
        const own = processes[writer % processes.length] ?? log;
        for (const [batch, { size, attempts }] of plan.entries()) {
          const key = `${writer}/${batch}`;
          const events = Array.from({ length: size }, (_, index) => queued(`${key}/${index}`));
          const attempt = () => own.append(session, { after: 0, key, events });
          const [first, ...repeats] = await Promise.all(Array.from({ length: attempts }, attempt));
          for (const repeat of repeats) expect(repeat.events).toEqual(first?.events);
        }
      });
      await Promise.all(writes);
      const read = await stranger().read(session, { after: 0 });
      const expected = plans.flatMap((plan, writer) => plan.flatMap(({ size }, batch) => Array.from({ length: size }, (_, index) => `${writer}/${batch}/${index}`)));
      expect(read.map(({ seq }) => seq)).toEqual(expected.map((_, index) => index + 1));
      expect(read.map((event) => 'turnId' in event && event.turnId).sort()).toEqual(expected.sort());
    }),
    { numRuns: 5 },
  );
});

it('shows a reader in the middle of writing no gap', async () => {
  const session = newSession(tenantId);
  const write = async () => {
    for (let after = 0; after < 60; after += 3) await log.append(session, { after, key: `${after}`, events: [queued('a'), queued('b'), queued('c')] });
    return 'written';
  };
  const writing = write();
  const read = async () => {
    const reader = stranger();
    let cursor = 0;
    for (let state = 'writing'; state === 'writing'; ) {
      // Before the look: what was written by then must be seen by it.
      state = await Promise.race([writing, Promise.resolve('writing')]);
      const seen = await reader.read(session, { after: cursor });
      expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => cursor + index + 1));
      cursor += seen.length;
    }
    expect(cursor).toBe(60);
  };
  await Promise.all([writing, read(), read()]);
});

describe('read', () => {
  it('begins inside a batch, and ends inside one', async () => {
    const session = newSession(tenantId);
    await log.append(session, { after: 0, key: 'a', events: ['1', '2', '3'].map((id) => queued(id)) });
    await log.append(session, { after: 3, key: 'b', events: ['4', '5', '6'].map((id) => queued(id)) });
    for (const reader of [log, stranger()])
      for (let after = 0; after <= 6; after++)
        for (let upTo = after; upTo <= 6; upTo++) {
          const seen = await reader.read(session, { after, upTo });
          expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: upTo - after }, (_, index) => after + index + 1));
        }
    expect((await stranger().read(session, { after: 5 })).map(({ seq }) => seq)).toEqual([6]);
    expect(await stranger().read(session, { after: 6 })).toEqual([]);
  });

  it('gives about as much as was asked for', async () => {
    const session = newSession(tenantId);
    for (let after = 0; after < 10; after++) await log.append(session, { after, key: `${after}`, events: [queued(`${after}`)] });
    expect((await stranger().read(session, { after: 2, limit: 4 })).map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  });

  it('sees what another process wrote, when it is not told where to end', async () => {
    const session = newSession(tenantId);
    await log.append(session, { after: 0, key: 'a', events: [queued('a')] });
    await stranger().append(session, { after: 1, key: 'b', events: [queued('b')] });
    expect(await log.read(session, { after: 0 })).toHaveLength(2);
    expect(await log.read(session, { after: 0, upTo: 2 })).toHaveLength(2);
  });
});

describe('find', () => {
  it('finds a batch by its key, and nothing under another', async () => {
    const session = newSession(tenantId);
    const { events } = await log.append(session, { after: 0, key: 'a', events: [queued('a')] });
    expect(await stranger().find(session, { after: 0, key: 'a' })).toEqual(events);
    expect(await stranger().find(session, { after: 0, key: 'b' })).toBeUndefined();
    expect(await stranger().find(session, { after: 1, key: 'a' })).toBeUndefined();
  });
});

describe('the ledger of calls', () => {
  const ledger = createToolLedger({ access });
  const callOf = (callId: string) => ({ ...newSession(tenantId), turnId: 'turn', step: 1, callId, tool: 'order' });
  const run = (call: ReturnType<typeof callOf>, work: () => Promise<JsonValue>, mayRepeat = false) => runLedgered(ledger, { ref: call, mayRepeat, signal: new AbortController().signal, run: work });
  const lost = () => Promise.reject(new DomainError('tool/failed', 'The answer was lost.'));

  it('lets a call begin once, and knows the attempt that began it', async () => {
    const call = callOf('a');
    expect(await ledger.begin(call, 'first')).toBeUndefined();
    // The answer to the put was lost, and the client sent it again.
    expect(await ledger.begin(call, 'first')).toBeUndefined();
    expect(await ledger.begin(call, 'second')).toEqual({ state: 'begun' });
    await ledger.finish(call, 7);
    expect(await ledger.begin(call, 'first')).toEqual({ state: 'finished', resultAt: 7 });
  });

  it('never repeats a call whose answer was lost, unless its target tells a repetition', async () => {
    const call = callOf('b');
    await expect(run(call, lost)).rejects.toMatchObject({ code: 'tool/outcome-unknown' });
    await expect(run(call, () => Promise.resolve('done twice'))).rejects.toMatchObject({ code: 'tool/outcome-unknown' });
    expect(await failureOf(ledger, call, { code: 'tool/failed', message: 'five times' })).toMatchObject({ code: 'tool/outcome-unknown' });
    await expect(run(callOf('c'), lost, true)).rejects.toMatchObject({ code: 'tool/failed' });
    expect(await run(call, () => Promise.resolve('done'), true)).toEqual({ output: 'done' });
  });

  it('returns where the result is when there is one, and runs nothing', async () => {
    const call = callOf('d');
    expect(await run(call, () => Promise.resolve(1))).toEqual({ output: 1 });
    await ledger.finish(call, 12);
    expect(await run(call, lost)).toEqual({ resultAt: 12 });
  });

  it('lets another attempt begin when nothing can have happened, but not when an earlier one may have', async () => {
    const away = () => Promise.reject(new DomainError('tool/unreachable', 'Nobody is there.'));
    const call = callOf('e');
    await expect(run(call, away)).rejects.toMatchObject({ code: 'tool/unreachable' });
    expect(await failureOf(ledger, call, { code: 'tool/unreachable', message: 'away' })).toMatchObject({ code: 'tool/unreachable' });
    await expect(run(call, lost, true)).rejects.toMatchObject({ code: 'tool/failed' });
    await expect(run(call, away, true)).rejects.toMatchObject({ code: 'tool/unreachable' });
    expect(await failureOf(ledger, call, { code: 'tool/unreachable', message: 'away' })).toMatchObject({ code: 'tool/outcome-unknown' });
  });
});
