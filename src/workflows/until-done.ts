import { ActivityFailure, ApplicationFailure, condition, isCancellation, setHandler, TemporalFailure } from '@temporalio/workflow';
import { codeOf } from '../contracts/errors';
import { retryOperation } from './operation-definitions';

/** Pauses of 1, 2, 4 … 20 s: ten attempts outlast a restart, and take about two minutes. */
const promptAttempts = 10;
const longestPromptPauseMs = 20_000;
/** An attempt is 11 events of history: once an hour, that can go on for half a year. */
const restMs = 3_600_000;
const firstPauseMs = 500;
/** Rights that were given a moment ago are not known everywhere yet; one that is missing longer than this will stay so. */
const deniedPatienceMs = 30_000;
/** Bounds the history of a step that is tried for a day. */
const mostAttempts = 500;

/** Hears of every attempt that failed; `attempt` is 1 for the first. */
export type OnFailedAttempt = (failure: { readonly error: TemporalFailure; readonly attempt: number; readonly isResting: boolean }) => void;

/**
 * Runs idempotent attempts one after the other, so that every failure shows in the operation; the signal `retry` cuts any
 * pause short.
 */
export interface Retries {
  /** Until one succeeds, however long that takes; after ten failures it rests for an hour at a time. */
  untilDone<T>(attempt: () => Promise<T>, onFailure: OnFailedAttempt): Promise<T>;
  /**
   * Until one succeeds, within a time.
   * @throws what the last attempt threw: when trying again cannot help, when it was cancelled, when nothing but denials came for
   * half a minute, or when the time is up.
   */
  within<T>(deadlineMs: number, attempt: () => Promise<T>, onFailure: OnFailedAttempt): Promise<T>;
}

/** Call it once, at the start of the workflow: it listens for the operator. */
export function listenForRetries(): Retries {
  let requests = 0;
  setHandler(retryOperation, () => void (requests += 1));
  /** @returns true when the operator cut it short. */
  const pause = (pauseMs: number) => {
    const heard = requests;
    return condition(() => requests > heard, pauseMs);
  };

  return {
    async untilDone(run, onFailure) {
      for (let attempt = 1, failures = 1; ; attempt += 1, failures += 1) {
        try {
          return await run();
        } catch (error) {
          if (!(error instanceof TemporalFailure)) throw error;
          const isResting = failures >= promptAttempts;
          onFailure({ error, attempt, isResting });
          const pauseMs = isResting ? restMs : Math.min(1_000 * 2 ** (failures - 1), longestPromptPauseMs);
          if (await pause(pauseMs)) failures = 0;
        }
      }
    },

    async within(deadlineMs, run, onFailure) {
      const endMs = Date.now() + deadlineMs;
      let deniedSinceMs: number | undefined;
      const longestPauseMs = Math.max(15_000, deadlineMs / mostAttempts);
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await run();
        } catch (error) {
          if (!(error instanceof TemporalFailure) || isCancellation(error) || isFinal(error)) throw error;
          const pauseMs = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs);
          deniedSinceMs = codeOf(error) === 'dependency/denied' ? (deniedSinceMs ?? Date.now()) : undefined;
          if (Date.now() + pauseMs >= Math.min(endMs, (deniedSinceMs ?? endMs) + deniedPatienceMs)) throw error;
          onFailure({ error, attempt, isResting: false });
          await pause(pauseMs);
        }
      }
    },
  };
}

/** The activity said so itself, or its options name the code as final. */
function isFinal(error: TemporalFailure): boolean {
  if (error instanceof ActivityFailure && error.retryState === 'NON_RETRYABLE_FAILURE') return true;
  const reason = error instanceof ActivityFailure ? error.cause : error;
  return reason instanceof ApplicationFailure && reason.nonRetryable === true;
}
