import { setTimeout as delay } from 'node:timers/promises';

/** Of a state that is sure to come. */
const patienceMs = 90_000;

/** Looks often. @throws Error naming what did not come. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAtMs) throw new Error(`Waited in vain: ${what}`);
    await delay(20);
  }
}
