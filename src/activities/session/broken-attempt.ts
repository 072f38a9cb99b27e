import { activityInfo, Context } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import type { EventBody } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { AgentConfig } from '../../contracts/tenant';
import { modelOfAttempt } from '../../domain/models';
import { record, type SessionStepDeps, type TurnInput } from './deps';

interface StepPlace extends TurnInput {
  readonly step: number;
}

/** Whether the turn was stopped, as opposed to a worker that shuts down: then another one thinks this step again. */
export const isStopped = (): boolean => Context.current().cancellationDetails?.cancelRequested === true;

/** What the model had said when it was stopped: readers have seen it, and the model will. */
export async function keepPartial(deps: Pick<SessionStepDeps, 'log' | 'live'>, input: StepPlace, after: number, text: string): Promise<void> {
  const { turnId, step } = input;
  if (text === '') return;
  const said: EventBody = { type: 'message.completed', turnId, step, text, stopReason: 'stopped', partial: true };
  await record(deps, input, { after, key: batchKeys.stepStopped(turnId, step), events: [said], notBehind: batchKeys.turnCompleted(turnId) });
}

/** The key of what this attempt has cost, if that came to nothing. */
export function wasteKey({ turnId, step }: Pick<StepPlace, 'turnId' | 'step'>): string {
  const { activityId, attempt } = activityInfo();
  return batchKeys.stepWasted(turnId, step, `${activityId}/${attempt}`);
}

/** The time a model asks for counts for that model: another one need not wait. */
export function forNextAttempt(error: unknown, agent: AgentConfig): unknown {
  const { attempt } = activityInfo();
  const isOver = modelOfAttempt(agent, attempt + 1) !== modelOfAttempt(agent, attempt);
  return isOver && error instanceof DomainError && error.retryAfterSeconds !== undefined ? new DomainError(error.code, error.message, { cause: error }) : error;
}
