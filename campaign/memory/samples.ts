import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** Environment variable: where a process that is watched writes its samples. */
export const samplesFile = 'TENURE_CAMPAIGN_SAMPLES';

const Sample = z.object({
  /** Milliseconds since the epoch; the others are bytes. */
  at: z.number(),
  rss: z.number(),
  heapUsed: z.number(),
  /** Buffers; they lie outside the heap. */
  arrayBuffers: z.number(),
});
export type Sample = z.infer<typeof Sample>;

/** What a process held, oldest first. */
export async function readSamples(file: string): Promise<Sample[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
  return lines.map((line) => Sample.parse(JSON.parse(line)));
}

/** What was held while something ran: in use (heap and buffers, garbage left out) and resident, in MB. */
export interface Curve {
  readonly what: string;
  readonly seconds: number;
  /** At each of {@link shares} of its time. */
  readonly inUseMb: readonly number[];
  readonly residentMb: readonly number[];
  readonly mostInUseMb: number;
  readonly mostResidentMb: number;
}

/** Of the time something took. */
export const shares = [0, 0.25, 0.5, 0.75, 1] as const;

/** @throws Error when it was over before a sample was taken. */
export function curveOf(what: string, all: readonly Sample[], [fromMs, toMs]: readonly [number, number]): Curve {
  const within = all.filter(({ at }) => at >= fromMs && at <= toMs);
  if (within.length === 0) throw new Error(`Nobody looked while this ran: ${what}.`);
  const nearest = (share: number): Sample => {
    const wanted = fromMs + (toMs - fromMs) * share;
    return within.reduce((best, sample) => (Math.abs(sample.at - wanted) < Math.abs(best.at - wanted) ? sample : best));
  };
  const points = shares.map(nearest);
  return {
    what,
    seconds: (toMs - fromMs) / 1_000,
    inUseMb: points.map(inUse),
    residentMb: points.map(resident),
    mostInUseMb: Math.max(...within.map(inUse)),
    mostResidentMb: Math.max(...within.map(resident)),
  };
}

const mb = 1_000_000;
const inUse = ({ heapUsed, arrayBuffers }: Sample): number => (heapUsed + arrayBuffers) / mb;
const resident = ({ rss }: Sample): number => rss / mb;
