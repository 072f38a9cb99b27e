import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../src/cli/api-client';
import type { LocalPlatform } from '../src/local/platform';
import type { Conversation } from './arms/arm';
import { type BenchTenant, makeTenant } from './arms/tenure';
import { describe, type Machine } from './machine';
import { percentilesOf, spread } from './measure';

/** What the quiet tenants met, with and without one beside them that asks for much more than its share. */
export interface NeighbourSample {
  readonly isNoisy: boolean;
  readonly turns: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What became of the noisy one's requests. */
  readonly noise: { readonly answered: number; readonly refused: number };
}

const quietTenants = 20;
/** Each tenant's share. The quiet ones ask half as much, each at a moment of chance in its ten seconds: as strangers do, and now and then two at once. */
const rate = { requestsPerMinute: 12, burst: 5 };
const timesItsShare = 50;

const shareMs = 60_000 / rate.requestsPerMinute;
const quietEveryMs = 2 * shareMs;
const noiseEveryMs = shareMs / timesItsShare;

/** Twenty tenants alone, and with the noisy one, in turn. */
export async function neighbours(platform: LocalPlatform, { repeats, seconds, prompt }: { repeats: number; seconds: number; prompt: string }): Promise<NeighbourSample[]> {
  const [noisy, ...quiet] = await tenants(platform);
  if (!noisy) throw new Error('There is no tenant.');
  const talks = await Promise.all(quiet.map((tenant) => tenant.openSession()));
  const loud = await noisy.openSession();
  await Promise.all([...talks, loud].map((talk) => talk.ask(prompt)));
  const samples: NeighbourSample[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1)
    for (const isNoisy of [false, true]) {
      const sample = await sampleOf(talks, isNoisy ? loud : undefined, { prompt, untilMs: performance.now() + 1_000 * seconds });
      console.error(`neighbours, repeat ${repeat}: ${isNoisy ? `beside ${sample.noise.answered + sample.noise.refused} requests of one` : 'alone'}: p50 ${sample.p50Ms.toFixed(1)} ms, p99 ${sample.p99Ms.toFixed(1)} ms`);
      samples.push(sample);
    }
  return samples;
}

/** One after the other: each is built in a second or two. */
async function tenants(platform: LocalPlatform): Promise<BenchTenant[]> {
  const made: BenchTenant[] = [];
  for (const name of ['noisy', ...Array.from({ length: quietTenants }, (_, index) => `quiet-${index}`)]) made.push(await makeTenant(platform, { tenantId: name, rate }));
  return made;
}

async function sampleOf(talks: readonly Conversation[], loud: Conversation | undefined, { prompt, untilMs }: { prompt: string; untilMs: number }): Promise<NeighbourSample> {
  const tookMs: number[] = [];
  const noise = { answered: 0, refused: 0 };
  const asked = talks.map((talk) =>
    atTimes({ everyMs: quietEveryMs, withinMs: quietEveryMs, untilMs }, async (dueAtMs) => {
      await talk.ask(prompt);
      // From when it was due: what waited behind a slow one waited, too.
      tookMs.push(performance.now() - dueAtMs);
    }),
  );
  const making = loud && atTimes({ everyMs: noiseEveryMs, withinMs: 0, untilMs }, () => outcomeOf(loud.ask(prompt)).then((outcome) => void (noise[outcome] += 1)));
  await Promise.all([...asked, making]);
  return { isNoisy: loud !== undefined, turns: tookMs.length, ...percentilesOf(tookMs), noise };
}

/** Once in each of these spans, by chance within the part of it that is given, whatever came of those before. */
async function atTimes({ everyMs, withinMs, untilMs }: { everyMs: number; withinMs: number; untilMs: number }, act: (dueAtMs: number) => Promise<void>): Promise<void> {
  const acts: Promise<void>[] = [];
  for (let spanMs = performance.now(); spanMs < untilMs; spanMs += everyMs) {
    const dueAtMs = spanMs + Math.random() * withinMs;
    await delay(Math.max(0, dueAtMs - performance.now()));
    acts.push(act(dueAtMs));
  }
  await Promise.all(acts);
}

async function outcomeOf(asked: Promise<unknown>): Promise<'answered' | 'refused'> {
  try {
    await asked;
    return 'answered';
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 429) return 'refused';
    throw error;
  }
}

/** Whether many tenants notice one that asks for fifty times its share. */
export function neighboursToMarkdown({ machine, samples }: { machine: Machine; samples: readonly NeighbourSample[] }): string {
  const [alone, beside] = [false, true].map((isNoisy) => samples.filter((sample) => sample.isNoisy === isNoisy)) as [NeighbourSample[], NeighbourSample[]];
  const rowOf = (title: string, of: readonly NeighbourSample[]) => {
    const sum = (figure: (sample: NeighbourSample) => number) => of.reduce((total, sample) => total + figure(sample), 0);
    return `| ${title} | ${sum(({ turns }) => turns)} | ${spread(of.map(({ p50Ms }) => p50Ms), 1)} | ${spread(of.map(({ p99Ms }) => p99Ms), 1)} | ${sum(({ noise }) => noise.answered)} | ${sum(({ noise }) => noise.refused)} |`;
  };
  const ratio = (figure: 'p50Ms' | 'p99Ms') => spread(beside.map((sample, repeat) => sample[figure] / (alone[repeat]?.[figure] ?? Number.NaN)), 2);
  return [
    describe(machine),
    '',
    '### Neighbours: twenty tenants, and one that asks for fifty times its share',
    '| the twenty | turns | p50 ms | p99 ms | the one: answered | refused |',
    '|---|---|---|---|---|---|',
    rowOf('alone', alone),
    rowOf('beside it', beside),
    '',
    `Beside it / alone: p50 ${ratio('p50Ms')}, p99 ${ratio('p99Ms')}.`,
    '',
  ].join('\n');
}
