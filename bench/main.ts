import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { modelControl } from '../src/local/model/control';
import { type LocalPlatform, startPlatform } from '../src/local/platform';
import type { Arm } from './arms/arm';
import { startBareArm, startNodeArm } from './arms/plain';
import { startTenureArm } from './arms/tenure';
import { encryptionCost } from './encryption';
import { type HistoryCost, historyCost } from './history';
import { measure, type Sample } from './measure';
import { describeMachine, type Results, toChart, toMarkdown } from './report';

const { values: options } = parseArgs({
  options: {
    repeats: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '100' },
    clients: { type: 'string', default: '1,8,32' },
    /** Turns measured per arm, repeat and number of clients: at least this many. */
    turns: { type: 'string', default: '100' },
    out: { type: 'string', default: 'bench/results' },
  },
});

/** W0: the model answers at once, one tool. Arms take turns within each repeat, so that all meet the same machine. */
async function main(): Promise<void> {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-bench-'));
  process.env['LOG_LEVEL'] ??= 'warn';
  const platform = await startPlatform({ stateDir, keepsState: false, restart: false, onProgress: (line) => console.error(line) });
  const arms: Arm[] = [];
  try {
    await modelControl(platform.stack.urls.model).timing({ firstTokenMs: 0, msPerToken: 0 });
    arms.push(await startNodeArm(platform.stack.env), await startBareArm(platform.stack.env), await startTenureArm(platform));
    const results = { machine: describeMachine(), samples: await takeSamples(arms, platform), ...(await takeHistories(arms, platform)) };
    await save(results);
  } finally {
    for (const arm of arms) await arm.stop();
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function takeSamples(arms: readonly Arm[], { stack }: LocalPlatform): Promise<Sample[]> {
  const serverPids = () => Object.values(stack.services).map(({ pid }) => pid);
  for (const arm of arms) await measure(arm, 4, Number(options.warmup), serverPids());
  const samples: Sample[] = [];
  for (let repeat = 1; repeat <= Number(options.repeats); repeat += 1)
    for (const clients of options.clients.split(',').map(Number))
      for (const arm of arms) {
        const sample = await measure(arm, clients, Math.max(Number(options.turns), clients * 10), serverPids());
        console.error(`repeat ${repeat}: ${clients} clients, ${arm.name}: p50 ${sample.p50Ms.toFixed(1)} ms, ${sample.turnsPerSecond.toFixed(1)} turns/s`);
        samples.push(sample);
      }
  return samples;
}

async function takeHistories(arms: readonly Arm[], { stack }: LocalPlatform): Promise<Pick<Results, 'histories' | 'encryption'>> {
  const connection = await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });
  const costs: HistoryCost[] = [];
  for (const arm of arms) {
    const cost = await historyCost(arm, client);
    if (cost) costs.push(cost);
  }
  const tenure = arms.find(({ name }) => name === 'tenure');
  const encryption = tenure && (await encryptionCost(tenure, client, stack.env));
  await connection.close();
  return { histories: costs, ...(encryption && { encryption }) };
}

async function save(results: Results): Promise<void> {
  await mkdir(options.out, { recursive: true });
  const markdown = toMarkdown(results);
  await writeFile(path.join(options.out, 'w0.json'), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(path.join(options.out, 'w0.md'), markdown);
  await writeFile(path.join(options.out, 'w0.svg'), toChart(results));
  console.log(markdown);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
