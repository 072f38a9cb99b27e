import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { updateDocs } from './docs';
import type { SessionCase } from './sessions/case';
import { burst, duplicates } from './sessions/floods';
import { harms } from './sessions/harms';
import { type LongSession, longSession } from './sessions/long-session';
import { poison } from './sessions/poison';
import { type Stage, startStage } from './sessions/stage';

const { values: options } = parseArgs({
  options: {
    /** Of each harm. */
    runs: { type: 'string', default: '10' },
    /** Conversations that one harm meets at once. */
    width: { type: 'string', default: '5' },
    /** Messages that are sent eight times each. */
    messages: { type: 'string', default: '1000' },
    burst: { type: 'string', default: '200' },
    /** Of the long session. 0: none. */
    turns: { type: 'string', default: '2000' },
    /** A part of a case's name. */
    only: { type: 'string', default: '' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

interface Planned {
  readonly one: SessionCase;
  readonly runs: number;
  readonly size: number;
}

interface Result {
  readonly id: string;
  readonly runs: number;
  readonly turns: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

const planned: readonly Planned[] = [
  ...harms.map((one) => ({ one, runs: Number(options.runs), size: Number(options.width) })),
  { one: duplicates, runs: 1, size: Number(options.messages) },
  { one: burst, runs: 1, size: Number(options.burst) },
  { one: poison, runs: 1, size: Number(options.runs) },
];

async function main(): Promise<void> {
  const stage = await startStage({ tier: 'premium' });
  try {
    const results: Result[] = [];
    for (const plan of planned.filter(({ one }) => one.id.includes(options.only))) results.push(await runAll(stage, plan));
    // The long session takes longest, and takes nothing away from what was found.
    await report(results, undefined);
    const turns = Number(options.turns);
    await stage.platform.model.timing({ firstTokenMs: 0, msPerToken: 0 });
    const long = turns > 0 && options.only === '' ? await longSession(stage, turns, (line) => console.log(line)) : undefined;
    await report(results, long);
    if ([...results, ...(long ? [long] : [])].some(({ problems }) => problems.length > 0)) process.exitCode = 1;
  } finally {
    await stage.stop();
  }
}

async function runAll(stage: Stage, { one, runs, size }: Planned): Promise<Result> {
  const startedAtMs = Date.now();
  let turns = 0;
  const problems: string[] = [];
  for (let run = 1; run <= runs; run += 1) {
    const done = await one.run(stage, size).catch((error: unknown) => ({ turns: 0, problems: [String(error)] }));
    turns += done.turns;
    problems.push(...done.problems);
  }
  const seconds = (Date.now() - startedAtMs) / 1_000;
  console.log(`${one.id}: ${problems.length === 0 ? 'held' : problems.slice(0, 5).join('; ')} (${turns} turns, ${seconds.toFixed(0)} s)`);
  return { id: one.id, runs, turns, seconds, problems };
}

async function report(results: readonly Result[], long: LongSession | undefined): Promise<void> {
  const machine = `${os.cpus().length} cores, ${os.cpus()[0]?.model ?? 'unknown'}`;
  const failed = [...results.filter(({ problems }) => problems.length > 0), ...(long && long.problems.length > 0 ? [{ id: 'the long session', problems: long.problems }] : [])];
  const markdown = [
    `${results.reduce((sum, { turns }) => sum + turns, 0) + (long?.turns ?? 0)} turns; ${failed.length === 0 ? 'all held' : `${failed.length} cases did not hold`}. ${machine}.`,
    '',
    '| case | runs | turns | time | |',
    '|---|---|---|---|---|',
    ...results.map(({ id, runs, turns, seconds, problems }) => `| ${id} | ${runs} | ${turns} | ${seconds.toFixed(0)} s | ${problems.length === 0 ? 'held' : `✗ ${problems.length} problems`} |`),
    ...(long
      ? [
          '',
          `A session of ${long.turns} turns: ${long.runs} runs of its workflow, ${long.eventsPerTurn[0].toFixed(1)}–${long.eventsPerTurn[1].toFixed(1)} events a turn; a turn took ${long.earlyMs.toFixed(0)} ms (median of turns 5–104) and ${long.lateMs.toFixed(0)} ms (of the last hundred), ${(long.lateMs / long.earlyMs).toFixed(2)} times as long.`,
        ]
      : []),
    ...(failed.length > 0 ? ['', 'What did not hold:', '', ...failed.map(({ id, problems }) => `- ${id}: ${problems.slice(0, 10).join('; ')}`)] : []),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'sessions.md'), markdown);
  if (options.only === '') await updateDocs('sessions', markdown);
  console.log(`\n${markdown}`);
}

// What still runs when the platform could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
