import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem, ApiUnreachable, StreamProblem } from './api-client';

const pollMs = 250;

interface Patience {
  /** Default: a minute. */
  readonly giveUpAfterMs?: number;
  /** Which failures may pass. Default: those the API, or its absence, says may. */
  readonly mayPass?: (error: unknown) => boolean;
}

/** Repeats a call whose failure may pass, until it succeeds or the time is up. */
export async function patiently<T>(call: () => Promise<T>, { giveUpAfterMs = 60_000, mayPass = seemsTemporary }: Patience = {}): Promise<T> {
  for (const giveUpAtMs = performance.now() + giveUpAfterMs; ; ) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error) || performance.now() > giveUpAtMs) throw error;
      await delay(error instanceof ApiProblem && error.retryAfterSeconds ? error.retryAfterSeconds * 1_000 : pollMs);
    }
  }
}

/** Whether a request that failed so may be under way all the same: then only its repetition, under the same key, tells. */
export const mayHaveArrived = (error: unknown): boolean =>
  error instanceof StreamProblem || !(error instanceof ApiProblem || (error instanceof ApiUnreachable && error.neverSent));

export function seemsTemporary(error: unknown): boolean {
  if (error instanceof StreamProblem) return true;
  if (error instanceof ApiProblem) return error.status === 503 || error.status === 429;
  // By its name: fetch's own errors may come from another realm, where `instanceof` does not see them.
  return error instanceof ApiUnreachable || (error as { name?: unknown }).name === 'TypeError';
}
