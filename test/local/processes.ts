import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process that runs; the dead whom nobody has buried are left out. */
async function processes(): Promise<ProcessRow[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat=,args=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state = '']) => !state.startsWith('Z'))
    .map(([pid, parent, , ...command]) => ({ pid: Number(pid), parent: Number(parent), command: command.join(' ') }));
}

/** Its children, and theirs. */
export async function descendants(pid: number): Promise<number[]> {
  const all = await processes();
  const below = (parent: number): number[] => all.filter((one) => one.parent === parent).flatMap((one) => [one.pid, ...below(one.pid)]);
  return below(pid);
}

/** Those of the processes that still run after so long; none, most often much sooner. */
export async function survivors(pids: readonly number[], withinMs: number): Promise<number[]> {
  for (const giveUpAtMs = Date.now() + withinMs; ; ) {
    const running = new Set((await processes()).map(({ pid }) => pid));
    const left = pids.filter((pid) => running.has(pid));
    if (left.length === 0 || Date.now() > giveUpAtMs) return left;
    await delay(50);
  }
}

/** The process below this one whose command line has these words, as soon as there is one. */
export async function descendantRunning(parent: number, words: string): Promise<number> {
  for (const giveUpAtMs = Date.now() + 20_000; ; ) {
    const below = new Set(await descendants(parent));
    const found = (await processes()).find(({ pid, command }) => below.has(pid) && command.includes(words));
    if (found) return found.pid;
    if (Date.now() > giveUpAtMs) throw new Error(`Nothing below ${parent} runs ${words}.`);
    await delay(50);
  }
}
