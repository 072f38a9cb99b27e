import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { modelControl } from '../src/local/model/control';
import { type LocalPlatform, startPlatform } from '../src/local/platform';
import { type Arm, armNames } from './arms/arm';
import { startLangGraphArm } from './arms/langgraph';
import { startBareArm, startNodeArm } from './arms/plain';
import { startTenureArm } from './arms/tenure';
import { toChart } from './chart';
import { encryptionCost } from './encryption';
import { type HistoryCost, historyCost } from './history';
import { idleSessions, idleTenants, idleToMarkdown } from './idle';
import { type LongSession, longSessions, longToMarkdown } from './long-session';
import { describeMachine } from './machine';
import { measure, type Sample } from './measure';
import { neighbours, neighboursToMarkdown } from './neighbours';
import { type Results, toMarkdown } from './report';
import { words, wordsToMarkdown } from './words';
import { startSlowTool, type Workload, workloads } from './workloads';

const { values: options } = parseArgs({
  options: {
    /** `w0` to `w3`, `words`, `idle` and `neighbours`, with commas between. */
    workloads: { type: 'string', default: 'w0,w1,w2,w3,words,idle,neighbours' },
    /** Of `w0` to `w3`. */
    arms: { type: 'string', default: armNames.join() },
    repeats: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '100' },
    /** Default: each workload's own. */
    clients: { type: 'string' },
    /** Turns measured per arm, repeat and number of clients: at least this many. */
    turns: { type: 'string', default: '100' },
    /** Of the one session of w3. */
    'long-turns': { type: 'string', default: '300' },
    /** Of each sample of `neighbours`. */
    seconds: { type: 'string', default: '60' },
    /** Of `idle`. */
    sessions: { type: 'string', default: '1000' },
    tenants: { type: 'string', default: '250' },
    out: { type: 'string', default: 'bench/results' },
  },
});

const repeats = Number(options.repeats);
const chosen = options.workloads.split(',');

/** Arms take turns within each repeat, so that all meet the same machine. */
async function main(): Promise<void> {
  const names = chosenArms();
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-bench-'));
  process.env['LOG_LEVEL'] ??= 'warn';
  const platform = await startPlatform({ stateDir, keepsState: false, restart: false, onProgress: (line) => console.error(line) });
  const slow = await startSlowTool();
  const arms: Arm[] = [];
  try {
    const start: Readonly<Record<Arm['name'], () => Promise<Arm>>> = {
      node: () => startNodeArm(platform.stack.env),
      bare: () => startBareArm(platform.stack.env),
      tenure: () => startTenureArm(platform, slow.origin),
      langgraph: () => startLangGraphArm(platform.stack),
    };
    for (const name of names) arms.push(await start[name]());
    const all = workloads(slow);
    for (const workload of all.filter(({ name }) => chosen.includes(name))) await run(workload, arms, platform);
    const [first] = all;
    if (first && chosen.includes('w3')) await runLong(first, arms, platform);
    if (chosen.includes('words')) await runWords(arms, platform);
    if (first && chosen.includes('idle')) await runIdle(first, platform);
    if (first && chosen.includes('neighbours')) await runNeighbours(first, platform);
  } finally {
    for (const arm of arms) await arm.stop();
    slow.stop();
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

/** Those of the command line, for the workloads that compare them; `words` takes plain Temporal along, the others need none. */
function chosenArms(): Arm['name'][] {
  const named = options.arms.split(',');
  const unknown = named.filter((name) => !armNames.some((known) => known === name));
  if (unknown.length > 0) throw new Error(`There is no arm ${unknown.join(', ')}: there are ${armNames.join(', ')}.`);
  const compares = chosen.some((name) => /^w\d$/.test(name));
  return armNames.filter((name) => (compares && named.includes(name)) || (name === 'bare' && chosen.includes('words')));
}

async function run(workload: Workload, arms: readonly Arm[], platform: LocalPlatform): Promise<void> {
  const { name, title, prompt, pace } = workload;
  await modelControl(platform.stack.urls.model).timing(pace);
  const samples = await takeSamples(arms, workload, platform);
  const results = { machine: describeMachine(arms), title: `${name.toUpperCase()}: ${title}`, samples, ...(name === 'w0' && (await takeHistories(arms, prompt, platform))) };
  await save(name, results, toMarkdown(results));
  if (name === 'w0') await writeFile(path.join(options.out, 'w0.svg'), toChart(results));
}

async function takeSamples(arms: readonly Arm[], { name, prompt, clients }: Workload, { stack }: LocalPlatform): Promise<Sample[]> {
  const serverPids = Object.values(stack.services).map(({ pid }) => pid);
  for (const arm of arms) await measure(arm, prompt, { clients: 4, turns: Number(options.warmup), serverPids });
  const samples: Sample[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1)
    for (const count of options.clients?.split(',').map(Number) ?? clients)
      for (const arm of arms) {
        const sample = await measure(arm, prompt, { clients: count, turns: Math.max(Number(options.turns), count * 10), serverPids });
        console.error(`${name}, repeat ${repeat}: ${count} clients, ${arm.name}: p50 ${sample.p50Ms.toFixed(1)} ms, ${sample.turnsPerSecond.toFixed(1)} turns/s`);
        samples.push(sample);
      }
  return samples;
}

async function runLong({ prompt, pace }: Workload, arms: readonly Arm[], { stack }: LocalPlatform): Promise<void> {
  await modelControl(stack.urls.model).timing(pace);
  const sessions: LongSession[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    const taken = await longSessions(arms.filter(({ name }) => name !== 'node'), Number(options['long-turns']), prompt);
    console.error(`w3, repeat ${repeat}: ${taken.map(({ arm, earlyMs, lateMs }) => `${arm} ${earlyMs.toFixed(1)} ms early, ${lateMs.toFixed(1)} ms late`).join('; ')}`);
    sessions.push(...taken);
  }
  const results = { machine: describeMachine(arms), sessions };
  await save('w3', results, longToMarkdown(results));
}

async function runWords(arms: readonly Arm[], platform: LocalPlatform): Promise<void> {
  const bare = arms.find(({ name }) => name === 'bare');
  if (!bare) return;
  const results = { machine: describeMachine(), samples: await words(platform, bare, repeats) };
  await save('words', results, wordsToMarkdown(results));
}

async function runIdle({ prompt }: Workload, platform: LocalPlatform): Promise<void> {
  const results = {
    machine: describeMachine(),
    sessions: await idleSessions(platform, { repeats, sessions: Number(options.sessions), prompt }),
    tenants: await idleTenants(platform, Number(options.tenants)),
  };
  await save('idle', results, idleToMarkdown(results));
}

async function runNeighbours({ prompt, pace }: Workload, platform: LocalPlatform): Promise<void> {
  await modelControl(platform.stack.urls.model).timing(pace);
  const results = { machine: describeMachine(), samples: await neighbours(platform, { repeats, seconds: Number(options.seconds), prompt }) };
  await save('neighbours', results, neighboursToMarkdown(results));
}

async function takeHistories(arms: readonly Arm[], prompt: string, { stack }: LocalPlatform): Promise<Pick<Results, 'histories' | 'encryption'>> {
  const connection = await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });
  const costs: HistoryCost[] = [];
  for (const arm of arms) {
    const cost = await historyCost(arm, client, prompt);
    if (cost) costs.push(cost);
  }
  const tenure = arms.find(({ name }) => name === 'tenure');
  const encryption = tenure && (await encryptionCost(tenure, client, { prompt, env: stack.env }));
  await connection.close();
  return { histories: costs, ...(encryption && { encryption }) };
}

async function save(name: string, results: object, markdown: string): Promise<void> {
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, `${name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(path.join(options.out, `${name}.md`), markdown);
  console.log(markdown);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
