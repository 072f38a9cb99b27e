import { setTimeout as delay } from 'node:timers/promises';
import { modelControl } from '../src/local/model/control';
import type { LocalPlatform } from '../src/local/platform';
import type { Conversation } from './arms/arm';
import { makeTenant, unlimited } from './arms/tenure';
import { describe, type Machine } from './machine';
import { cpuMsOf, memoryMbOf, type Percentiles, percentilesOf, spread, timedAsk } from './measure';

/** Sessions nobody speaks in cost memory; when their worker dies, the next turn of each is slower. One repeat. */
export interface IdleSessionsSample {
  readonly sessions: number;
  readonly mbBefore: number;
  readonly mbAfter: number;
  readonly resumed: readonly Resumed[];
}

export interface Resumed {
  /** Each session had before. */
  readonly turns: number;
  /** The first turn in a new worker, and the one after it. */
  readonly cold: Percentiles;
  readonly warm: Percentiles;
}

/** What tenants cost a worker who serves them, while none of them asks for anything. */
export interface IdleTenantsSample {
  readonly tenants: number;
  readonly mbBefore: number;
  readonly mbAfter: number;
  /** Of one core. */
  readonly cpuPercentBefore: number;
  readonly cpuPercentAfter: number;
}

const width = 8;
const resumedSessions = 100;
/** Nearly as many as a run of a session has: a worker that takes it up then has most to replay. */
const longTurns = 16;
/** Temporal gives tasks to a worker that is gone until it has not asked for so long. */
const forgottenAfterMs = 11_000;
/** A worker that begins looks up its tenants, and makes its connections. */
const settlesWithinMs = 20_000;
const watchedForMs = 60_000;

export async function idleSessions(platform: LocalPlatform, { repeats, sessions, prompt }: { repeats: number; sessions: number; prompt: string }): Promise<IdleSessionsSample[]> {
  await modelControl(platform.stack.urls.model).timing({ firstTokenMs: 0, msPerToken: 0 });
  const tenant = await makeTenant(platform, { tenantId: 'idle-sessions', tier: 'premium', rate: unlimited });
  const open = (count: number, turns: number): Promise<Conversation[]> => inParallel(count, async () => afterTurns(await tenant.openSession(), turns, prompt));
  const { worker } = platform.services;
  const samples: IdleSessionsSample[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    await open(width * 10, 2);
    const mbBefore = await memoryMbOf(worker.pid);
    const short = await open(sessions, 2);
    const mbAfter = await memoryMbOf(worker.pid);
    const long = await open(resumedSessions, longTurns);
    await worker.stop('SIGKILL');
    await delay(forgottenAfterMs);
    await worker.start();
    // A process that has just begun is slow at everything.
    await open(width * 5, 2);
    const resumed = [await resume(short.slice(0, resumedSessions), 2, prompt), await resume(long, longTurns, prompt)];
    console.error(`idle sessions, repeat ${repeat}: ${mbBefore.toFixed(0)} to ${mbAfter.toFixed(0)} MB; ${resumed.map(({ turns, cold, warm }) => `after ${turns} turns ${cold.p50Ms.toFixed(1)} ms cold, ${warm.p50Ms.toFixed(1)} ms warm`).join('; ')}`);
    samples.push({ sessions, mbBefore, mbAfter, resumed });
  }
  return samples;
}

/** Both times in a worker that has just begun: what onboarding leaves in its memory is another figure. */
export async function idleTenants(platform: LocalPlatform, count: number): Promise<IdleTenantsSample> {
  const { worker } = platform.services;
  const watch = async () => {
    await worker.stop();
    await worker.start();
    await delay(settlesWithinMs);
    const cpuBeforeMs = await cpuMsOf([worker.pid]);
    await delay(watchedForMs);
    return { mb: await memoryMbOf(worker.pid), cpuPercent: (100 * ((await cpuMsOf([worker.pid])) - cpuBeforeMs)) / watchedForMs };
  };
  const before = await watch();
  await inParallel(count, (index) => makeTenant(platform, { tenantId: `idle-${index}` }));
  const after = await watch();
  console.error(`${count} idle tenants: ${before.mb.toFixed(0)} to ${after.mb.toFixed(0)} MB, ${before.cpuPercent.toFixed(1)} to ${after.cpuPercent.toFixed(1)} % of a core`);
  return { tenants: count, mbBefore: before.mb, mbAfter: after.mb, cpuPercentBefore: before.cpuPercent, cpuPercentAfter: after.cpuPercent };
}

async function resume(talks: readonly Conversation[], turns: number, prompt: string): Promise<Resumed> {
  const once = async (): Promise<Percentiles> => {
    const tookMs: number[] = [];
    for (const talk of talks) tookMs.push(await timedAsk(talk, prompt));
    return percentilesOf(tookMs);
  };
  return { turns, cold: await once(), warm: await once() };
}

async function afterTurns(talk: Conversation, turns: number, prompt: string): Promise<Conversation> {
  for (let turn = 0; turn < turns; turn += 1) await talk.ask(prompt);
  return talk;
}

async function inParallel<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) made.push(await make(next++));
    }),
  );
  return made;
}

export function idleToMarkdown({ machine, sessions, tenants }: { machine: Machine; sessions: readonly IdleSessionsSample[]; tenants: IdleTenantsSample }): string {
  const of = (figure: (sample: IdleSessionsSample) => number, digits: number) => spread(sessions.map(figure), digits);
  const rows = (sessions[0]?.resumed ?? []).map(({ turns }, index) => {
    const took = (which: 'cold' | 'warm', figure: keyof Percentiles) => of(({ resumed }) => resumed[index]?.[which][figure] ?? Number.NaN, 1);
    return `| ${turns} | ${took('cold', 'p50Ms')} | ${took('cold', 'p99Ms')} | ${took('warm', 'p50Ms')} | ${took('warm', 'p99Ms')} |`;
  });
  return [
    describe(machine),
    '',
    '### Idle: what it costs to keep what nobody uses',
    `${sessions[0]?.sessions ?? 0} sessions of two turns in a worker’s memory: ${of(({ mbBefore, mbAfter }) => mbAfter - mbBefore, 0)} MB, ${of(({ sessions: count, mbBefore, mbAfter }) => (mbAfter - mbBefore) / count, 2)} each.`,
    '',
    `${tenants.tenants} tenants on one worker that has just begun: ${(tenants.mbAfter - tenants.mbBefore).toFixed(0)} MB, and ${tenants.cpuPercentBefore.toFixed(1)} → ${tenants.cpuPercentAfter.toFixed(1)} % of a core.`,
    '',
    'The worker was killed and started again:',
    '',
    '| turns before | first turn after, p50 ms | p99 ms | the next turn, p50 ms | p99 ms |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
