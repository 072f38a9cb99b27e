import { differenceOf, isTold, type Pair } from '../../campaign/timing-figures';

/** Times around 10 ms that differ by a tenth of that from pair to pair, without chance. */
const pairs = (extraMs: number): Pair[] => Array.from({ length: 400 }, (_, index) => ({ othersMs: 10 + Math.sin(index) + extraMs, missingMs: 10 + Math.cos(index * 7) }));

it('tells times apart that differ, in either direction, and no others', () => {
  expect([0.4, -0.4, 0].map((extraMs) => isTold(differenceOf(pairs(extraMs))))).toEqual([true, true, false]);
});

it('is not moved by a few answers that took very long', () => {
  const some = pairs(0).map((pair, index) => (index % 40 === 0 ? { ...pair, othersMs: 5_000 } : pair));
  expect(isTold(differenceOf(some))).toBe(false);
  expect(differenceOf(some).medianMs).toBeCloseTo(0, 0);
});
