import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Operation } from '../src/contracts/operation';
import { inParallel } from '../src/domain/in-parallel';
import { updateDocs } from './docs';
import { Lane } from './lane';
import { problemsOfEmptiness, problemsOfGone } from './verdict';

const { values: options } = parseArgs({
  options: {
    tenants: { type: 'string', default: '100' },
    /** Operations at once. */
    width: { type: 'string', default: '8' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

interface Figures {
  readonly kind: string;
  readonly count: number;
  readonly perMinute: number;
  readonly p50Seconds: number;
  readonly p95Seconds: number;
  /** Where the time goes: the slowest first. */
  readonly steps: readonly StepFigures[];
}

interface StepFigures {
  readonly name: string;
  readonly p50Seconds: number;
  readonly p95Seconds: number;
}

/** More than these say little. */
const stepsShown = 5;

/** Many tenants come and go on one local stack: how fast, and what is left. */
async function main(): Promise<void> {
  const count = Number(options.tenants);
  const lane = await Lane.start('many', (line) => console.log(line));
  try {
    const ids = Array.from({ length: count }, (_, index) => `many-${index + 1}`);
    const onboardings = await timed(ids, async (tenantId) => lane.awaitEnd((await lane.beginOnboarding(tenantId, `on ${tenantId}`)).operationId));
    const answers = await timed(ids.slice(0, 10), (tenantId) => lane.turn(tenantId));
    const offboardings = await timed(ids, async (tenantId) => lane.awaitEnd((await lane.beginOffboarding(tenantId, `off ${tenantId}`)).operationId));
    const left = (await timed(offboardings.ended, (operation) => problemsOfGone(lane, operation, true))).ended.flat();
    const known = await problemsOfEmptiness(lane);
    const problems = [
      ...[...onboardings.ended, ...offboardings.ended].filter(({ state }) => state !== 'completed').map(({ operationId, state, error }) => `${operationId} ended ${state} (${error?.code ?? ''})`),
      ...answers.ended.filter((outcome) => outcome !== 'completed').map((outcome) => `a turn came to ${outcome}`),
      ...left,
      ...known,
    ];
    await report([figuresOf('onboarding', onboardings), figuresOf('offboarding', offboardings)], problems);
    if (problems.length > 0) process.exitCode = 1;
  } catch (error) {
    // Said before the lane is taken down, which may fail in its turn.
    console.error(error);
    process.exitCode = 1;
  } finally {
    await lane.stop();
  }
}

async function timed<Item, Result>(items: readonly Item[], run: (item: Item) => Promise<Result>): Promise<{ ended: Result[]; tookMs: number }> {
  const startedAtMs = Date.now();
  const tookMs = () => Date.now() - startedAtMs;
  let count = 0;
  const ended = await inParallel(items, Number(options.width), async (item) => {
    const result = await run(item);
    count += 1;
    if (count % 20 === 0) console.log(`${count}/${items.length} in ${(tookMs() / 1_000).toFixed(0)} s`);
    return result;
  });
  return { ended, tookMs: tookMs() };
}

function figuresOf(kind: string, { ended, tookMs }: { ended: readonly Operation[]; tookMs: number }): Figures {
  const seconds = ended.map(({ startedAt, finishedAt = startedAt }) => (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000);
  return { kind, count: ended.length, perMinute: ended.length / (tookMs / 60_000), ...percentilesOf(seconds), steps: stepFiguresOf(ended) };
}

function stepFiguresOf(ended: readonly Operation[]): StepFigures[] {
  const names = ended[0]?.steps.map(({ name }) => name) ?? [];
  return names
    .map((name) => ({ name, ...percentilesOf(ended.flatMap(({ steps }) => (steps.find((step) => step.name === name)?.durationMs ?? 0) / 1_000)) }))
    .sort((one, other) => other.p50Seconds - one.p50Seconds)
    .slice(0, stepsShown);
}

function percentilesOf(values: readonly number[]): { p50Seconds: number; p95Seconds: number } {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Seconds: at(0.5), p95Seconds: at(0.95) };
}

async function report(figures: readonly Figures[], problems: readonly string[]): Promise<void> {
  const machine = `${os.cpus().length} cores, ${os.cpus()[0]?.model ?? 'unknown'}; ${options.width} operations at once`;
  const markdown = [
    `${figures[0]?.count ?? 0} tenants onboarded and offboarded; ${problems.length === 0 ? 'the inventory is empty' : `${problems.length} problems`}. ${machine}.`,
    '',
    '| | operations | a minute | p50 | p95 |',
    '|---|---|---|---|---|',
    ...figures.map(({ kind, count, perMinute, p50Seconds, p95Seconds }) => `| ${kind} | ${count} | ${perMinute.toFixed(1)} | ${p50Seconds.toFixed(1)} s | ${p95Seconds.toFixed(1)} s |`),
    '',
    'The slowest steps (p50, p95):',
    ...figures.map(({ kind, steps }) => `- ${kind}: ${steps.map(({ name, p50Seconds, p95Seconds }) => `\`${name}\` ${p50Seconds.toFixed(1)} s, ${p95Seconds.toFixed(1)} s`).join('; ')}`),
    ...(problems.length > 0 ? ['', 'Problems:'] : []),
    ...problems.map((problem) => `- ${problem}`),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'tenants.md'), markdown);
  await writeFile(path.join(options.out, 'tenants.json'), `${JSON.stringify({ machine, figures, problems }, null, 1)}\n`);
  await updateDocs('tenants', markdown);
  console.log(`\n${markdown}`);
}

// What still runs when the platform could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
