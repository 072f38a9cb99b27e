import { activityInfo } from '@temporalio/activity';
import { z } from 'zod';
import { codeOf } from '../../contracts/errors';
import { EventBody, type SessionEvent } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { beat } from '../beat';
import { isStopped } from './broken-attempt';
import { record, type SessionStepDeps } from './deps';

/** What an attempt has cost that came to nothing: a `usage.wasted` that is not in the log yet. Figures and ids only: it goes through Temporal. */
const Unwritten = z.object({
  /** Of its batch. */
  key: z.string(),
  event: EventBody,
  /** The batch that would have held the answer, and whose answer it was: if that is there after all, nothing was wasted. */
  answer: z.object({ key: z.string(), attempt: z.number().int() }).optional(),
});
type Unwritten = z.infer<typeof Unwritten>;

type Deps = Pick<SessionStepDeps, 'log' | 'live'>;

interface Place extends SessionRef {
  readonly after: number;
}

/**
 * Carries out an attempt. What it, or one before it, could not write of its waste is written at its end; when that cannot be, the next attempt is given it with the last
 * heartbeat.
 * @param key - under which this attempt's waste is written.
 */
export async function notingWaste<Done>(deps: Deps, { tenantId, sessionId, after }: Place, key: string, run: (waste: Waste) => Promise<Done>): Promise<Done> {
  const waste = new Waste(deps, { tenantId, sessionId, after }, key);
  try {
    const done = await run(waste);
    await waste.writeLeft();
    return done;
  } catch (error) {
    // No other attempt follows.
    if (isStopped()) await waste.writeLeft().catch(() => undefined);
    waste.handOn();
    throw error;
  }
}

export class Waste {
  private left: readonly Unwritten[];

  constructor(
    private readonly deps: Deps,
    private readonly place: Place,
    private readonly key: string,
  ) {
    this.left = Unwritten.array().safeParse(activityInfo().heartbeatDetails).data ?? [];
  }

  /**
   * Writes it, behind the end of its turn, too; or keeps it for later when it cannot be written.
   * @param answer - as in `Unwritten`.
   * @returns false when the answer is in the log after all.
   */
  async keep(event: EventBody, answer?: Unwritten['answer']): Promise<boolean> {
    const waste = { key: this.key, event, ...(answer && { answer }) };
    try {
      return await this.write(waste);
    } catch {
      this.left = [...this.left, waste];
      return true;
    }
  }

  /** The same when its step could not begin in the log, for that `error`: the next attempt begins it, and writes this behind. Of a turn that is over no attempt follows. */
  async keepUnbegun(error: unknown, event: EventBody, answer?: Unwritten['answer']): Promise<boolean> {
    if (codeOf(error) === 'turn/ended') return this.keep(event, answer);
    this.left = [...this.left, { key: this.key, event, ...(answer && { answer }) }];
    return true;
  }

  async writeLeft(): Promise<void> {
    for (const waste of this.left) {
      await this.write(waste);
      this.left = this.left.filter((other) => other !== waste);
    }
  }

  handOn(): void {
    if (this.left.length > 0) beat(this.left);
  }

  private async write({ key, event, answer }: Unwritten): Promise<boolean> {
    const { after, ...session } = this.place;
    const batch = { after, key, events: [event], notBehind: batchKeys.sessionClosed() };
    try {
      // In one write, so that no answer that is still on its way gets in behind it.
      await record(this.deps, session, { ...batch, ...(answer && { unless: answer.key }) });
    } catch (error) {
      // Nothing is written, or counted, behind the end of a session.
      if (codeOf(error) === 'turn/ended') return true;
      if (!answer || codeOf(error) !== 'log/moved') throw error;
      const there = await this.deps.log.find(session, { after, key: answer.key });
      if (there && attemptOf(there) === answer.attempt) return false;
      await record(this.deps, session, batch);
    }
    return true;
  }
}

/** Whose answer a batch holds. */
export function attemptOf(events: readonly SessionEvent[]): number {
  const used = events.find((event) => event.type === 'usage.recorded');
  return (used?.type === 'usage.recorded' ? used.attempt : undefined) ?? 1;
}
