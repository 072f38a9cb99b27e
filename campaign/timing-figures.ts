/** How long an answer took about what is another's, and right beside it about what is missing, in milliseconds. */
export interface Pair {
  readonly othersMs: number;
  readonly missingMs: number;
}

export interface Difference {
  readonly othersMs: number;
  readonly missingMs: number;
  /** Median of the differences within pairs, and its interval of 99 %. */
  readonly medianMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Two-sided, of 99 %. */
const z = 2.576;

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
export const medianOf = (numbers: readonly number[]): number => sorted(numbers)[Math.floor(numbers.length / 2)] ?? NaN;

/** By ranks: nothing is supposed of how times are distributed, and a few that took very long move nothing. */
export function differenceOf(pairs: readonly Pair[]): Difference {
  const differences = sorted(pairs.map(({ othersMs, missingMs }) => othersMs - missingMs));
  const reach = (z * Math.sqrt(differences.length)) / 2;
  const at = (rank: number) => differences[Math.min(differences.length - 1, Math.max(0, rank))] ?? NaN;
  return {
    othersMs: medianOf(pairs.map(({ othersMs }) => othersMs)),
    missingMs: medianOf(pairs.map(({ missingMs }) => missingMs)),
    medianMs: medianOf(differences),
    fromMs: at(Math.floor(differences.length / 2 - reach)),
    toMs: at(Math.ceil(differences.length / 2 + reach)),
  };
}

/** Whether the two can be told apart by their times. */
export const isTold = ({ fromMs, toMs }: Difference): boolean => fromMs > 0 || toMs < 0;
