import { mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../src/local/project-root';
import { installLocalTools } from '../src/local/python';
import { impatientServer } from '../test/support/workflow';
import { updateDocs } from './docs';
import { type FuzzStage, type Story, tell } from './session-fuzz/driver';

const { values: options } = parseArgs({
  options: {
    /** The first. */
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    /** This one alone, as often as `times` says, with all that was sent: the machine mixes it anew each time. */
    seed: { type: 'string' },
    times: { type: 'string', default: '1' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

/** Few, so that sessions continue as new in the middle of what they do. */
const eventsPerRun = 120;

const planned = options.seed === undefined ? Array.from({ length: Number(options.seeds) }, (_, index) => String(Number(options.from) + index)) : Array.from({ length: Number(options.times) }, () => String(options.seed));

async function main(): Promise<void> {
  process.env['TEMPORAL_SERVER'] = (await installLocalTools({ onProgress: (line) => console.log(line) })).temporal;
  const code = await readFile(path.join(projectRoot, 'dist/workflows/bundle.generated.js'), 'utf8');
  const env = await impatientServer(eventsPerRun);
  try {
    await report(await tellAll({ env, workflowBundle: { code }, eventsPerRun }));
  } finally {
    await env.teardown();
  }
}

async function tellAll(stage: FuzzStage): Promise<{ stories: readonly Story[]; seconds: number }> {
  const startedAtMs = performance.now();
  const stories: Story[] = [];
  for (const seed of planned) {
    const story = await tell(stage, seed);
    stories.push(story);
    const { sessions, requests, turns, runs, longestRun, problems, sent } = story;
    console.log(`seed ${seed}: ${problems.length === 0 ? 'held' : 'DID NOT HOLD'} (${sessions} sessions, ${requests} requests, ${turns} turns, ${runs} runs of at most ${longestRun} events)`);
    if (problems.length > 0) console.log([...problems, ...sent, `Again: ${commandOf(seed)}`].map((line) => `  ${line}`).join('\n'));
    else if (options.seed !== undefined) console.log(sent.join('\n'));
  }
  return { stories, seconds: (performance.now() - startedAtMs) / 1_000 };
}

const commandOf = (seed: string): string => `npm run campaign:session-fuzz -- --seed ${seed}`;

async function report({ stories, seconds }: { stories: readonly Story[]; seconds: number }): Promise<void> {
  const failed = stories.filter(({ problems }) => problems.length > 0);
  const sum = (of: (story: Story) => number) => stories.reduce((total, story) => total + of(story), 0);
  const markdown = [
    `${stories.length} seeds (${planned[0]}–${planned.at(-1)}) in ${seconds.toFixed(0)} s: ${failed.length === 0 ? 'all held' : `${failed.length} did not hold`}. ${os.cpus().length} cores, ${os.cpus()[0]?.model ?? 'unknown'}.`,
    '',
    '| sessions | requests | turns | runs of their workflows, each replayed | events of the longest |',
    '|---|---|---|---|---|',
    `| ${sum(({ sessions }) => sessions)} | ${sum(({ requests }) => requests)} | ${sum(({ turns }) => turns)} | ${sum(({ runs }) => runs)} | ${Math.max(...stories.map(({ longestRun }) => longestRun))} |`,
    ...(failed.length > 0 ? ['', 'What did not hold:', '', ...failed.map(({ seed, problems }) => `- \`${commandOf(seed)}\`: ${problems.slice(0, 5).join('; ')}`)] : []),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'session-fuzz.md'), markdown);
  if (options.seed === undefined) await updateDocs('session-fuzz', markdown);
  console.log(`\n${markdown}`);
  if (failed.length > 0) process.exitCode = 1;
}

// What still runs when the server could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
