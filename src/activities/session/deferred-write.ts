/**
 * A write that can wait a little: what ends before it is due is written together with it, in one round trip instead of
 * two.
 */
export class DeferredWrite<T> {
  private begun: Promise<T> | undefined;
  private readonly due: NodeJS.Timeout;

  constructor(
    private readonly write: () => Promise<T>,
    afterMs: number,
  ) {
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
    clearTimeout(this.due);
    return this.begun;
  }
}

/** A reader who sees nothing for this long wants to know that something has begun. */
export const noticeableMs = 50;
