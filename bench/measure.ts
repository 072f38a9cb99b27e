import { readFile } from 'node:fs/promises';
import type { Arm, Conversation } from './arms/arm';

export interface Sample {
  readonly arm: Arm['name'];
  readonly clients: number;
  readonly turns: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly turnsPerSecond: number;
  /** Of the arm's own processes. */
  readonly cpuMsPerTurn: number;
  /** Of what it runs on: Temporal, AWS, Valkey, the model, and Postgres for the one that uses it. */
  readonly serverCpuMsPerTurn: number;
}

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
};

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const percentilesOf = (tookMs: readonly number[]): Percentiles => ({ p50Ms: median(tookMs), p99Ms: quantile(tookMs, 0.99) });

export interface Load {
  readonly clients: number;
  readonly turns: number;
  /** Of the servers all arms share. */
  readonly serverPids: readonly number[];
}

/** Milliseconds from the question to the answer. */
export async function timedAsk(conversation: Conversation, prompt: string): Promise<number> {
  const askedAtMs = performance.now();
  await conversation.ask(prompt);
  return performance.now() - askedAtMs;
}

/** Each client holds its own conversation and asks again as soon as it has its answer. */
export async function measure(arm: Arm, prompt: string, { clients, turns, serverPids: sharedPids }: Load): Promise<Sample> {
  const conversations = await Promise.all(Array.from({ length: clients }, () => arm.openSession()));
  await Promise.all(conversations.map((conversation) => conversation.ask(prompt)));
  const serverPids = [...sharedPids, ...(arm.serverPids?.() ?? [])];
  const durationsMs: number[] = [];
  let left = turns;
  const [cpuBefore, serverCpuBefore] = await Promise.all([cpuMsOf(arm.pids()), cpuMsOf(serverPids)]);
  const startedAt = performance.now();
  await Promise.all(
    conversations.map(async (conversation) => {
      while (left-- > 0) durationsMs.push(await timedAsk(conversation, prompt));
    }),
  );
  const elapsedMs = performance.now() - startedAt;
  const [cpuAfter, serverCpuAfter] = await Promise.all([cpuMsOf(arm.pids()), cpuMsOf(serverPids)]);
  return {
    arm: arm.name,
    clients,
    turns: durationsMs.length,
    ...percentilesOf(durationsMs),
    turnsPerSecond: (1_000 * durationsMs.length) / elapsedMs,
    cpuMsPerTurn: (cpuAfter - cpuBefore) / durationsMs.length,
    serverCpuMsPerTurn: (serverCpuAfter - serverCpuBefore) / durationsMs.length,
  };
}

/** User and system time of processes and of all they started, from Linux's /proc; 0 where there is none. */
export async function cpuMsOf(pids: readonly number[]): Promise<number> {
  const ofEach = await Promise.all(pids.map(async (pid) => (await ownCpuMs(pid)) + (await cpuMsOf(await childrenOf(pid)))));
  return ofEach.reduce((sum, cpuMs) => sum + cpuMs, 0);
}

/** With that of children that have ended: Postgres has a process for each connection. */
async function ownCpuMs(pid: number): Promise<number> {
  const clockTicksPerSecond = 100;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15).map(Number);
  return (1_000 * ticks.reduce((sum, tick) => sum + tick, 0)) / clockTicksPerSecond;
}

const childrenOf = async (pid: number): Promise<number[]> => {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.split(' ').filter(Boolean).map(Number);
};

/** What a process holds in memory, from Linux's /proc; 0 where there is none. */
export async function memoryMbOf(pid: number): Promise<number> {
  const [, kiB] = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')) ?? [];
  return Number(kiB ?? 0) / 1_024;
}

export const median = (values: readonly number[]) => quantile(values, 0.5);
export const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
