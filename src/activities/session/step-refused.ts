import type { EventBody } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import { yetToBegin } from '../../domain/beginnings';
import type { BudgetsInForce } from '../../domain/budgets';
import type { Exhausted, Thought } from '../../domain/session';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import type { Equipped } from './policy';
import { thoughtFrom } from './step-events';

interface RefusedStep extends TurnInput {
  readonly step: number;
  /** Whether it was refused before. */
  readonly resumed?: true;
}

interface Refusal {
  readonly exhausted: Exhausted;
  readonly inForce: BudgetsInForce;
  /** How the step would have begun. */
  readonly opening: readonly EventBody[];
}

/** There is not enough left for a step: the log says so once, and the turn waits or ends. No model was asked. */
export async function stepRefused(deps: SessionStepDeps, input: RefusedStep, equipped: Equipped, { exhausted, inForce, opening }: Refusal): Promise<Thought> {
  const { tenantId, sessionId, turnId, step, after } = input;
  const ends = inForce.onExhausted === 'end';
  // In the list before the log says so: whoever reads that it waits, and raises a budget, must find it.
  if (!ends) await deps.budgetLedger.noteWaiting({ tenantId, sessionId }, true);
  const { level, unit, renewsAt } = exhausted;
  const told: EventBody = { type: 'budget.exhausted', turnId, step, level, unit, ...(renewsAt !== undefined && { renewsAt }) };
  const message = `The budget ${level}.${unit} is used up.`;
  const end: EventBody = { type: 'turn.completed', turnId, outcome: 'budget_exhausted', code: 'budget/exhausted', message };
  // Refused once more, it says nothing new; messages that have joined meanwhile are in the log all the same.
  const begun = opening.filter(({ type }) => type !== 'step.started' && type !== 'step.reset');
  const events = [...begun, ...(input.resumed ? [] : [told]), ...(ends ? [end] : [])];
  if (events.length === 0) return { ...thoughtFrom([], equipped), head: after, exhausted };
  const key = input.resumed ? batchKeys.stepPausedAgain(turnId, step, after) : batchKeys.stepPaused(turnId, step);
  const written = await record(deps, input, { after, key, events, notBehind: batchKeys.turnCompleted(turnId), unless: batchKeys.stepCompleted(turnId, step), unwritten: yetToBegin });
  if (ends && input.resumed) await deps.budgetLedger.noteWaiting({ tenantId, sessionId }, false);
  return { ...thoughtFrom(written.events, equipped), head: written.head, ...(!ends && { exhausted }) };
}
