/**
 * A write that can wait a little: what ends before it is due is written together with it, in one round trip instead of
 * two.
 */
export class DeferredWrite<T> {
  private begun: Promise<T> | undefined;
  private isSettled = false;
  private dueAtMs = Infinity;
  private due: NodeJS.Timeout | undefined;

  constructor(
    private readonly write: () => Promise<T>,
    afterMs: number,
  ) {
    this.hasten(afterMs);
  }

  get hasBegun(): boolean {
    return this.begun !== undefined;
  }

  /** Makes it due so long from now, if that is sooner. */
  hasten(afterMs: number): void {
    const atMs = performance.now() + afterMs;
    if (this.hasBegun || this.isSettled || atMs >= this.dueAtMs) return;
    clearTimeout(this.due);
    this.dueAtMs = atMs;
    this.due = setTimeout(() => {
      // Whoever settles hears of a failure.
      this.begin().catch(() => undefined);
    }, afterMs);
  }

  /** Writes now, if it has not begun. */
  begin(): Promise<T> {
    clearTimeout(this.due);
    return (this.begun ??= this.write());
  }

  /** @returns what was written; undefined when it had not begun, and never will. */
  async settle(): Promise<T | undefined> {
    this.isSettled = true;
    clearTimeout(this.due);
    return this.begun;
  }
}

/** A reader who sees nothing for this long wants to know that something has begun. */
export const noticeableMs = 50;

/** From the first word of an answer to its end: what is over by then is written, and told, as a whole. */
export const atOnceMs = 10;
