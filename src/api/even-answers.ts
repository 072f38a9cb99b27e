import { setImmediate as turnOfEventLoop, setTimeout as delay } from 'node:timers/promises';
import { errors, publicFailure } from '../contracts/errors';

/** Longer than nearly every look takes: then nearly all leave at the first beat. */
export const beatMs = 25;
/** Timers are as late as that. */
const timersAreLateByMs = 2;

/** What is another's is answered as what is not there, and a token of another tenant as one for a tenant that does not exist. */
export const mustTellNothing = (error: unknown): boolean => [401, 404].includes(errors[publicFailure(error, 'internal/bug').code].status);

/**
 * Answers that must tell nothing leave at beats, counted from when their request came: how long the look took would tell whether something was
 * there. That is a matter of a tenth of a millisecond, for which a timer alone is too coarse.
 *
 * @param receivedAtMs - by `performance.now()`.
 */
export async function nextBeat(receivedAtMs: number): Promise<void> {
  const leavesAtMs = receivedAtMs + Math.ceil((performance.now() - receivedAtMs) / beatMs) * beatMs;
  const leftMs = leavesAtMs - performance.now() - timersAreLateByMs;
  if (leftMs > 0) await delay(leftMs);
  while (performance.now() < leavesAtMs) await turnOfEventLoop();
}
