import { setTimeout as delay } from 'node:timers/promises';

/** Does something again and again, each time so long after the last was done, until the signal. Keeps no process alive. */
export async function atIntervals(intervalMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const pause = () =>
    delay(intervalMs, undefined, { signal, ref: false }).then(
      () => true,
      () => false,
    );
  while (await pause()) await work();
}
