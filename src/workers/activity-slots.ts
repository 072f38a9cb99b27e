import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit, SlotReleaseContext, SlotReserveContext } from '@temporalio/worker';

interface Waiter {
  readonly grant: (permit: SlotPermit) => void;
}

/**
 * How many activities a worker may run at once, changed while it runs: more begin at once, fewer as those under way end.
 * Nothing is interrupted. Temporal asks for a slot before it asks its server for a task.
 */
export class ActivitySlots implements CustomSlotSupplier<ActivitySlotInfo> {
  readonly type = 'custom';
  private used = 0;
  private atWork = 0;
  private readonly waiting = new Set<Waiter>();

  constructor(private limit: number) {}

  get size(): number {
    return this.limit;
  }

  /** Whether an activity runs. A slot that waits for a task is used, and idle. */
  get isIdle(): boolean {
    return this.atWork === 0;
  }

  resize(limit: number): void {
    this.limit = limit;
    this.grantFree();
  }

  reserveSlot(_context: SlotReserveContext, abortSignal: AbortSignal): Promise<SlotPermit> {
    return new Promise((resolve, reject) => {
      abortSignal.throwIfAborted();
      const waiter = { grant: resolve };
      this.waiting.add(waiter);
      abortSignal.addEventListener('abort', () => {
        this.waiting.delete(waiter);
        reject(abortSignal.reason instanceof Error ? abortSignal.reason : new Error('no slot is needed any more'));
      });
      this.grantFree();
    });
  }

  tryReserveSlot(): SlotPermit | null {
    if (this.used >= this.limit) return null;
    this.used += 1;
    return {};
  }

  markSlotUsed(): void {
    this.atWork += 1;
  }

  releaseSlot({ slotInfo }: SlotReleaseContext<ActivitySlotInfo>): void {
    this.used -= 1;
    if (slotInfo) this.atWork -= 1;
    this.grantFree();
  }

  /** First come, first served. */
  private grantFree(): void {
    for (const waiter of this.waiting) {
      const permit = this.tryReserveSlot();
      if (!permit) return;
      this.waiting.delete(waiter);
      waiter.grant(permit);
    }
  }
}
