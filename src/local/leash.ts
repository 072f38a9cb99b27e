import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { leashGraceMs, leashIsDone } from './leash-protocol';

/**
 * Runs beside the processes it is told of (`+pid`, `-pid`, a line each; `!pid` for one that writes its state when it ends)
 * and ends them when its input ends: that happens however its parent dies, SIGKILL included, so that nothing outlives the
 * stack it belongs to. The file it was started with, if any, says that the stack runs; it goes when those that write have
 * ended in order.
 */
const [, , runningFile] = process.argv;
const pids = new Set<number>();
const writers = new Set<number>();
let isInOrder = true;
let isDone = false;

function signalAll(signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It died before it was asked to end.
      if (writers.has(pid)) isInOrder = false;
      pids.delete(pid);
    }
  }
}

function hear(line: string): void {
  const pid = Number(line.slice(1));
  if (line === leashIsDone) isDone = true;
  else if (line.startsWith('+') || line.startsWith('!')) pids.add(pid);
  else pids.delete(pid);
  if (line.startsWith('!')) writers.add(pid);
}

function clearUp(): void {
  if (isDone) return;
  signalAll('SIGTERM');
  const giveUpAtMs = performance.now() + leashGraceMs;
  const watching = setInterval(() => {
    for (const pid of pids) if (!isAlive(pid)) pids.delete(pid);
    const isLate = pids.size > 0 && performance.now() > giveUpAtMs;
    if (pids.size > 0 && !isLate) return;
    clearInterval(watching);
    if (isLate) signalAll('SIGKILL');
    const areWritten = isInOrder && [...writers].every((pid) => !pids.has(pid));
    if (areWritten && runningFile !== undefined) rmSync(runningFile, { force: true });
  }, 50);
}

// The terminal's Ctrl-C reaches the whole group: the parent decides what it means.
process.on('SIGINT', () => undefined);
createInterface({ input: process.stdin }).on('line', hear).on('close', clearUp);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
