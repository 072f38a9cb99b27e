import { Context } from '@temporalio/activity';
import type { EventBody, SessionEvent } from '../../src/contracts/events';
import { openApprovals } from '../../src/domain/transcript';
import { openQuestions } from '../../src/domain/questions';

/** What may be written of a turn that has ended. */
const behindTurns: ReadonlySet<EventBody['type']> = new Set(['facts.extracted', 'facts.skipped', 'tool.undone', 'tool.undo-failed', 'undo.completed']);

/** A session's log as its table keeps it: each batch once, under its key. Knows, too, what should never have been asked of it. */
export class FuzzedLog {
  readonly problems: string[] = [];
  private readonly events: SessionEvent[] = [];
  private readonly batches = new Map<string, { readonly by: string; readonly result: unknown }>();

  get all(): readonly SessionEvent[] {
    return this.events;
  }

  get head(): number {
    return this.events.length;
  }

  get openApprovals() {
    return openApprovals(this.events).filter(({ turnId }) => !this.hasEnded(turnId));
  }

  get openQuestions() {
    return openQuestions(this.events).filter(({ turnId }) => !this.hasEnded(turnId));
  }

  of<Type extends EventBody['type']>(type: Type) {
    return this.events.filter((event): event is Extract<SessionEvent, { type: Type }> => event.type === type);
  }

  ofTurn(turnId: string): SessionEvent[] {
    return this.events.filter((event) => 'turnId' in event && event.turnId === turnId);
  }

  hasEnded(turnId: string): boolean {
    return this.of('turn.completed').some((end) => end.turnId === turnId);
  }

  hasResult(callId: string): boolean {
    return [...this.of('tool.completed'), ...this.of('tool.failed')].some((result) => result.callId === callId);
  }

  /**
   * Does the work of an activity, and tells a later attempt of it what came of that. Another activity that does the same again is a problem.
   * @param mayRepeat - work that is interrupted and begun again.
   */
  once<Result>(key: string, work: () => Result, mayRepeat = false): Result {
    const { activityId, workflowExecution } = Context.current().info;
    const by = `${workflowExecution?.runId}/${activityId}`;
    const earlier = this.batches.get(key);
    if (earlier) {
      if (earlier.by !== by && !mayRepeat) this.problems.push(`"${key}" was done twice`);
      return earlier.result as Result;
    }
    const result = work();
    this.batches.set(key, { by, result });
    return result;
  }

  /** What came of that work, if it was done. */
  resultOf(key: string): unknown {
    return this.batches.get(key)?.result;
  }

  /** @returns the log's head behind it. */
  write(...events: readonly EventBody[]): number {
    for (const event of events) {
      if (this.of('session.closed').length > 0) this.problems.push(`${event.type} behind the end of the session`);
      if ('turnId' in event && !behindTurns.has(event.type) && this.hasEnded(event.turnId)) this.problems.push(`${event.type} behind the end of ${event.turnId}`);
      this.events.push({ seq: this.events.length + 1, at: '', ...event });
    }
    return this.head;
  }
}
