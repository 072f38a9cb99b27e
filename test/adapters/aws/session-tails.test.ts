import fc from 'fast-check';
import { createSessionTails, type Batch } from '../../../src/adapters/aws/session-tails';
import type { SessionEvent } from '../../../src/contracts/events';

const session = { tenantId: 'acme', sessionId: 'ses-1' };

/** Batches that follow each other, of these sizes. */
function logOf(sizes: readonly number[]): Batch[] {
  let seq = 0;
  return sizes.map((size, index) => ({
    key: `batch ${index}`,
    events: Array.from({ length: size }, () => ({ seq: (seq += 1), at: '2026-01-01T00:00:00Z', type: 'turn.started', turnId: 'turn-1' }) as unknown as SessionEvent),
    bytes: size,
  }));
}

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 });
const numbersOf = (events: readonly SessionEvent[]) => events.map(({ seq }) => seq);
const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index + 1);

describe('the tails of logs', () => {
  it('hold what was added from somewhere on, and never a part of what they are asked for', () => {
    fc.assert(
      fc.property(sizes, fc.nat(20), fc.nat(150), fc.nat(150), fc.integer({ min: 1, max: 200 }), (given, from, after, upTo, maxTailBytes) => {
        const tails = createSessionTails({ maxBytes: maxTailBytes * 16 });
        const log = logOf(given);
        const added = log.slice(Math.min(from, log.length - 1));
        added.forEach((batch) => tails.add(session, batch));
        const last = numbersOf(log.flatMap(({ events }) => events)).length;

        const known = tails.between(session, after, upTo);
        expect(known === undefined || upTo <= after || upTo <= last).toBe(true);
        if (known) expect(numbersOf(known)).toEqual(range(after, upTo));
        // What came last is there, whatever had to go.
        expect(numbersOf(tails.between(session, last - 1, last) ?? [])).toEqual([last]);

        const follows = tails.following(session, after);
        const place = log.findIndex(({ events }) => events[0]?.seq === after + 1);
        expect(follows).toEqual(follows.length === 0 ? [] : log.slice(place));
      }),
    );
  });

  it('hold all of it when there is room, whatever is added again', () => {
    fc.assert(
      fc.property(sizes, fc.array(fc.nat(29), { maxLength: 10 }), fc.nat(150), (given, again, after) => {
        const tails = createSessionTails({ maxBytes: 1_000_000 });
        const log = logOf(given);
        log.forEach((batch) => tails.add(session, batch));
        again.forEach((index) => tails.add(session, log[index % log.length] as Batch));
        const last = log.at(-1)?.events.at(-1)?.seq ?? 0;
        expect(numbersOf(tails.between(session, after, last) ?? [])).toEqual(range(after, last));
        expect(tails.following(session, 0)).toEqual(log);
      }),
    );
  });

  it('begin anew behind a gap', () => {
    const tails = createSessionTails({ maxBytes: 1_000_000 });
    const [first, , third] = logOf([2, 2, 2]);
    for (const batch of [first, third]) if (batch) tails.add(session, batch);
    expect(tails.between(session, 0, 6)).toBeUndefined();
    expect(numbersOf(tails.between(session, 4, 6) ?? [])).toEqual([5, 6]);
    expect(tails.following(session, 0)).toEqual([]);
  });
});
