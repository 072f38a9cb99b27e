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
export async function keepPartial(deps: Pick<SessionStepDeps, 'log' | 'live'>, input: StepPlace, after: number, text: string, waste: EventBody | undefined): Promise<void> {
  const { turnId, step } = input;
  const said: EventBody[] = text === '' ? [] : [{ type: 'message.completed', turnId, step, text, stopReason: 'stopped', partial: true }];
  const events = [...said, ...(waste ? [waste] : [])];
  if (events.length > 0) await record(deps, input, { after, key: batchKeys.stepStopped(turnId, step), events, notBehind: batchKeys.turnCompleted(turnId) });
}

/** What a broken attempt has cost; the next one is not kept waiting for it when it cannot be written. */
export async function keepWaste(deps: Pick<SessionStepDeps, 'log' | 'live'>, input: StepPlace, after: number, waste: EventBody): Promise<void> {
  const { turnId, step } = input;
  const { activityId, attempt } = activityInfo();
  const key = batchKeys.stepWasted(turnId, step, `${activityId}/${attempt}`);
  await record(deps, input, { after, key, events: [waste], notBehind: batchKeys.turnCompleted(turnId) }).catch(() => undefined);
}

/** The time a model asks for counts for that model: another one need not wait. */
export function forNextAttempt(error: unknown, agent: AgentConfig): unknown {
  const { attempt } = activityInfo();
  const isOver = modelOfAttempt(agent, attempt + 1) !== modelOfAttempt(agent, attempt);
  return isOver && error instanceof DomainError && error.retryAfterSeconds !== undefined ? new DomainError(error.code, error.message, { cause: error }) : error;
}
