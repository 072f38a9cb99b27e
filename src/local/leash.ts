import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type EmulatorRun, whatIsUnwritten } from './emulator-state';
import { leashGraceMs, type LeashMessage } from './leash-protocol';

/**
 * Runs beside the processes it is told of and ends them when its input ends: that happens however its parent dies, SIGKILL
 * included, so that nothing outlives the stack it belongs to. The file it was started with, if any, says that the stack runs; it
 * goes when what was to be kept is written.
 */
const [, , runningFile] = process.argv;
const pids = new Set<number>();
const emulatorRuns = new Map<number, EmulatorRun>();
let isDone = false;

function hear(line: string): void {
  const message = JSON.parse(line) as LeashMessage;
  if (message === 'done') isDone = true;
  else if ('release' in message) pids.delete(message.release);
  else {
    pids.add(message.hold);
    if (message.run) emulatorRuns.set(message.hold, message.run);
  }
}

async function clearUp(): Promise<void> {
  if (isDone) return;
  signalAll(pids, 'SIGTERM');
  await allEnd(leashGraceMs);
  const late = [...pids].filter(isAlive);
  signalAll(late, 'SIGKILL');
  const areKept = await Promise.all([...emulatorRuns].map(async ([pid, run]) => !late.includes(pid) && (await whatIsUnwritten(run)) === undefined));
  if (areKept.every(Boolean) && runningFile !== undefined) rmSync(runningFile, { force: true });
}

async function allEnd(withinMs: number): Promise<void> {
  for (const giveUpAtMs = performance.now() + withinMs; [...pids].some(isAlive) && performance.now() < giveUpAtMs; ) await delay(50);
}

function signalAll(some: Iterable<number>, signal: NodeJS.Signals): void {
  for (const pid of some) {
    try {
      process.kill(pid, signal);
    } catch {
      // It had ended before.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

// The terminal's Ctrl-C reaches the whole group: the parent decides what it means.
process.on('SIGINT', () => undefined);
createInterface({ input: process.stdin }).on('line', hear).on('close', () => void clearUp());
