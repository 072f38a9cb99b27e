import { activityInfo } from '@temporalio/activity';
import type { LiveEntry, SessionEvent, Usage } from '../../contracts/events';
import type { SessionRef } from '../../contracts/session';
import type { AppendInput, Appended } from '../../ports/session-store';
import { record, type SessionStepDeps } from './deps';
import type { StepBudget } from './step-budget';
import { attemptOf, type Waste } from './waste';

/** What a model answered, as far as it is paid for. */
interface PaidAnswer {
  readonly modelId: string;
  readonly usage: Usage;
  readonly budget: StepBudget;
  readonly waste: Waste;
  /** Whether its step has begun in the log, and does not with this batch. */
  readonly hasBegun: boolean;
}

/**
 * Writes an answer, once for all attempts, and settles what was held for it. One that is not in the log afterwards was paid for all the same: the turn has ended
 * meanwhile, the log cannot be written, or another attempt was quicker. It is wasted.
 *
 * @param entriesOf - as in `record`.
 * @returns the answer that is in the log, whose ever it is.
 * @throws DomainError as `record` does
 */
export async function recordAnswer(deps: SessionStepDeps, session: SessionRef, batch: AppendInput, { modelId, usage, budget, waste, hasBegun }: PaidAnswer, entriesOf?: (events: readonly SessionEvent[]) => readonly LiveEntry[]): Promise<Appended> {
  const { attempt } = activityInfo();
  const answer = { key: batch.key, attempt };
  const wasted = budget.wasted(modelId, usage);
  const written = await record(deps, session, batch, entriesOf).catch(async (error: unknown) => {
    // The write may have been done, and its answer lost.
    if (await (hasBegun ? waste.keep(wasted, answer) : waste.keepUnbegun(error, wasted, answer))) await budget.wasteAnswer(modelId, usage);
    else await budget.settle(modelId, usage).catch(() => undefined);
    throw error;
  });
  // A repeated write may have met its own first try.
  if (written.repeated && attemptOf(written.events) !== attempt && (await waste.keep(wasted, answer))) await budget.wasteAnswer(modelId, usage);
  else await budget.settle(modelId, usage);
  return written;
}
