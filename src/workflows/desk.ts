import { condition } from '@temporalio/workflow';
import type * as domain from '../domain/session';

/** Where people's words arrive: one after the other, so that what was said is in the log before the next is looked at. */
export class Desk {
  private last: Promise<void> = Promise.resolve();
  private open = 0;
  private readonly watched = new Set<string>();

  /** @param session - whose state changes with each. */
  constructor(private readonly session: { readonly state: domain.SessionState }) {}

  /** Whether nothing is on its way into the log. */
  get isIdle(): boolean {
    return this.open === 0;
  }

  inOrder(work: () => Promise<void>): Promise<void> {
    this.open += 1;
    const done = this.last.then(work).finally(() => (this.open -= 1));
    this.last = done.catch(() => undefined);
    return done;
  }

  /**
   * Does without an answer once something has waited too long. While the tenant is suspended nobody can say anything, and nothing expires.
   * @param waiting - undefined when it no longer waits.
   * @returns whether it is new, or new to this run: each is watched once.
   */
  watch(id: string, waiting: () => { readonly expiresAtMs: number } | undefined, doWithout: () => Promise<void>): boolean {
    if (this.watched.has(id)) return false;
    this.watched.add(id);
    // Stopped with its turn or its session, which settle what waits themselves.
    this.expire(waiting, doWithout).catch(() => undefined);
    return true;
  }

  private async expire(waiting: () => { readonly expiresAtMs: number } | undefined, doWithout: () => Promise<void>): Promise<void> {
    const isHeld = () => this.session.state.heldAt !== undefined;
    for (let asked = waiting(); asked; asked = waiting()) {
      const leftMs = asked.expiresAtMs - Date.now();
      if (isHeld()) await condition(() => !isHeld() || !waiting());
      else if (leftMs > 0) await condition(() => isHeld() || !waiting(), leftMs);
      else await this.inOrder(doWithout).catch(() => undefined);
    }
  }
}
