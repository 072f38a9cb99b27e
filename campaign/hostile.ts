import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { updateDocs } from './docs';
import { type HostileRun, runHostile } from './hostile-run';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '10000' },
    /** Conversations at once. */
    width: { type: 'string', default: '16' },
    seed: { type: 'string', default: 'tenure' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

const listed = (counts: HostileRun['calls']) =>
  Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, number]) => `\`${name}\` ${number}`)
    .join(', ');

async function main(): Promise<void> {
  const run = await runHostile({ steps: Number(options.steps), width: Number(options.width), seed: options.seed, onProgress: (line) => console.log(line) });
  const markdown = [
    `${run.steps} answers of the hostile model (seed \`${options.seed}\`) in ${run.turns} turns, ${options.width} conversations at once, ${run.seconds.toFixed(0)} s: ${run.problems.length === 0 ? 'nothing crossed, nothing crashed, no 5xx but 503' : `${run.problems.length} problems`}.`,
    '',
    `- Turns: ${listed(run.outcomes)}`,
    `- Tool calls: ${listed(run.calls)}`,
    `- Questions to the user: ${listed(run.questions)}`,
    `- Calls that reached the one address that was allowed: ${run.baitCalls}; calls that reached the canary: ${run.problems.some((problem) => problem.includes('canary was called')) ? 'some' : 0}`,
    `- Requests that a machine at its limit put off (503), answered when they came again: ${run.putOff}`,
    ...run.problems.slice(0, 50).map((problem) => `- Problem: ${problem}`),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'hostile.md'), markdown);
  await updateDocs('hostile', markdown);
  console.log(`\n${markdown}`);
  if (run.problems.length > 0) process.exitCode = 1;
}

// What still runs when the platform could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
