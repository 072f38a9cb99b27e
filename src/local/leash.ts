import { createInterface } from 'node:readline';

/**
 * Runs beside the processes it is told of (`+pid`, `-pid`, a line each) and ends them when its input ends: that happens
 * however its parent dies, SIGKILL included, so that nothing outlives the stack it belongs to.
 */
const pids = new Set<number>();
const graceMs = 5_000;

function signalAll(signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      pids.delete(pid);
    }
  }
}

// The terminal's Ctrl-C reaches the whole group: the parent decides what it means.
process.on('SIGINT', () => undefined);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const pid = Number(line.slice(1));
    if (line.startsWith('+')) pids.add(pid);
    else pids.delete(pid);
  })
  .on('close', () => {
    signalAll('SIGTERM');
    const giveUpAtMs = Date.now() + graceMs;
    const watching = setInterval(() => {
      if (Date.now() > giveUpAtMs) signalAll('SIGKILL');
      for (const pid of pids) if (!isAlive(pid)) pids.delete(pid);
      if (pids.size === 0 || Date.now() > giveUpAtMs) clearInterval(watching);
    }, 50);
  });

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
