import { CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import { errors, publicFailure } from '../contracts/errors';
import * as domain from '../domain/session';
import type { OpenSession } from './open-session';

/** How long a session that closes waits for facts from its last turns. */
const patience = '1 minute';

/** Has facts extracted from turns that have ended, one after the other, beside what the session does: no turn waits for it. */
export class FactDesk {
  private isWorking = false;
  private isStopped = false;
  private scope = new CancellationScope();

  constructor(private readonly session: OpenSession) {}

  /** Works on what waits, of this run or the one before. */
  attend(): void {
    if (!this.isWorking && this.next()) void CancellationScope.nonCancellable(() => this.work());
  }

  /** The tenant is suspended: what is at work is done again from its beginning. */
  pause(): void {
    this.scope.cancel();
  }

  /** The session has to end: what is not done by now is not done. */
  stop(): void {
    this.isStopped = true;
    this.scope.cancel();
    // Interrupted by a suspension before, nobody works on it.
    if (!this.isWorking && this.next() && patched('stopped-facts-skipped')) this.attend();
  }

  /** Returns when nothing waits any more. */
  async finish(): Promise<void> {
    const isDone = () => this.session.state.extractions === undefined;
    if (isDone()) return;
    // While the tenant is suspended nothing is extracted, and nobody waits for its end.
    if (this.session.state.heldAt !== undefined) this.stop();
    this.attend();
    if (!(await condition(isDone, patience))) this.stop();
    await condition(isDone);
  }

  private next(): domain.Extraction | undefined {
    return this.isStopped ? this.session.state.extractions?.[0] : domain.nextExtraction(this.session.state);
  }

  private async work(): Promise<void> {
    this.isWorking = true;
    for (let turn = this.next(); turn; turn = this.next()) {
      const head = await this.extract(turn);
      if (head !== undefined) this.session.state = domain.endExtraction(this.session.state, turn.turnId, head);
    }
    this.isWorking = false;
  }

  /** @returns where the log ends; undefined when it was interrupted, and is to be done again. */
  private async extract({ giveUpAtMs, ...turn }: domain.Extraction): Promise<number | undefined> {
    const { ref, userId, activities } = this.session;
    const of = { ...ref, userId, ...turn };
    const skip = async (reason: { code: string; message: string }) => (await activities.skipFacts({ ...of, ...reason })).head;
    if (this.isStopped) return skip(closed);
    this.scope = new CancellationScope();
    try {
      const { head } = await this.scope.run(() => activities.extractFacts(Math.max(1, giveUpAtMs - Date.now()), of));
      return head;
    } catch (error) {
      if (!isCancellation(error)) return skip(publicFailure(error, 'dependency/unavailable'));
      // Stopped meanwhile, it is skipped when it is looked at again.
      return undefined;
    }
  }
}

const closed = { code: 'session/closed', message: errors['session/closed'].title } as const;
