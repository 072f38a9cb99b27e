import { setMaxListeners } from 'node:events';

/** A signal for what is done until here. Left at the end of its block (`using`), it ends what is still open under it. */
export interface Ending extends Disposable {
  readonly signal: AbortSignal;
  /** Whether it was its time that ended it. */
  readonly isTimeUp: boolean;
  /** Counts its time from now on. @param afterMs - default: as much as before. */
  refresh(afterMs?: number): void;
  /** Counts no time until it is told to again. */
  rest(): void;
}

/**
 * A signal that is aborted with the first of its callers', or when its time is up.
 *
 * By hand: Node.js 20 forgets a timeout inside `AbortSignal.any` at the next garbage collection, and leaks there when one of the signals
 * lives as long as the process.
 *
 * @param afterMs - default: it has all the time its callers give it.
 */
export function endingWith(callers: readonly (AbortSignal | undefined)[], afterMs?: number): Ending {
  const controller = new AbortController();
  const { signal } = controller;
  // However much waits for it, none of that is a leak: it ends with its block.
  setMaxListeners(0, signal);
  const signals = callers.filter((caller) => caller !== undefined);
  const timeUp = new DOMException('The time for it is up', 'TimeoutError');
  let timer: NodeJS.Timeout | undefined;
  const count = (ms: number | undefined) => {
    clearTimeout(timer);
    timer = ms === undefined ? undefined : setTimeout(() => controller.abort(timeUp), ms).unref();
  };
  count(afterMs);
  const follow = () => controller.abort(signals.find(({ aborted }) => aborted)?.reason);
  for (const caller of signals) caller.addEventListener('abort', follow, { once: true });
  if (signals.some(({ aborted }) => aborted)) follow();
  return {
    signal,
    get isTimeUp() {
      return signal.reason === timeUp;
    },
    refresh: (ms = afterMs) => count(ms),
    rest: () => count(undefined),
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const caller of signals) caller.removeEventListener('abort', follow);
      controller.abort();
    },
  };
}
