import { setTimeout as delay } from 'node:timers/promises';
import type { Waiting } from '../../ports/provisioning';

/**
 * Asks again and again until there is an answer; tells the caller each time, and stops when the caller's signal says so.
 *
 * @param look - returns `done` with the answer, or `pending` with what to tell meanwhile.
 * @param pollMs - pause after the first look; grows by half each time, to 5 s.
 * @throws the signal's reason.
 */
export async function until<T>(
  { signal, beat }: Waiting,
  look: () => Promise<{ done: T } | { pending: string }>,
  pollMs = 100,
): Promise<T> {
  for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 1.5, 5_000)) {
    signal.throwIfAborted();
    const seen = await look();
    if ('done' in seen) return seen.done;
    beat(seen.pending);
    await delay(pauseMs, undefined, { signal });
  }
}
