import { condition, setHandler, TemporalFailure } from '@temporalio/workflow';
import { retryOperation } from './operation-definitions';

/** Pauses of 1, 2, 4 … 20 s: ten attempts outlast a restart, and take about two minutes. */
const promptAttempts = 10;
const longestPromptPauseMs = 20_000;
/** An attempt is 11 events of history: once an hour, that can go on for half a year. */
const restMs = 3_600_000;

/** @param isResting - the next attempt is an hour away, or at an operator's word. */
export type OnFailedAttempt = (error: TemporalFailure, isResting: boolean) => void;

/**
 * Runs an idempotent attempt until it succeeds, however long that takes. Every failure is reported, so that an operator
 * sees what is in the way; the signal `retry` cuts any pause short.
 */
export type UntilDone = <T>(attempt: () => Promise<T>, onFailure: OnFailedAttempt) => Promise<T>;

/** Call it once, at the start of the workflow: it listens for the operator. */
export function listenForRetries(): UntilDone {
  let requests = 0;
  setHandler(retryOperation, () => void (requests += 1));

  return async (attempt, onFailure) => {
    for (let failures = 1; ; failures += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof TemporalFailure)) throw error;
        const isResting = failures >= promptAttempts;
        onFailure(error, isResting);
        const heard = requests;
        const pauseMs = isResting ? restMs : Math.min(1_000 * 2 ** (failures - 1), longestPromptPauseMs);
        if (await condition(() => requests > heard, pauseMs)) failures = 0;
      }
    }
  };
}
