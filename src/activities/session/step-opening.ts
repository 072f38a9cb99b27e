import { activityInfo } from '@temporalio/activity';
import type { AgentPin } from '../../contracts/agent';
import type { Attachment } from '../../contracts/attachment';
import type { EventBody } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { yetToBegin } from '../../domain/beginnings';
import { record, type SessionStepDeps, type TurnInput } from './deps';

/** Where a step stands in its turn, and what it finds there. */
export interface StepBeginning extends TurnInput {
  /** 1 is the first. */
  readonly step: number;
  /** Whether `turn.queued` is in the log already. */
  readonly announced: boolean;
  /** Whether the conversation was too long for this step: what is older has been summarised since, if it could be. */
  readonly compacted?: true;
  /** Whether the step was refused before for want of budget: then the turn has begun in the log. */
  readonly resumed?: true;
  /** Where in the log is what is remembered of the user, once a step of the turn has found it. */
  readonly factsAt?: number;
  /** Messages that join the turn in this step, at most `maxSteering`. */
  readonly steering?: readonly string[];
}

/** Whether the turn has yet to begin in the log. */
export const beginsTurn = ({ step, resumed, compacted, factsAt }: StepBeginning): boolean => step === 1 && !resumed && !compacted && factsAt === undefined;

/** How the turn begins in the log, and the user's words. */
export async function turnBeginning(deps: Pick<SessionStepDeps, 'messages'>, input: StepBeginning): Promise<{ text: string; events: readonly EventBody[] }> {
  const message = await messageOf(deps, input, input.turnId);
  return { text: message.text, events: beginningOf(input, message) };
}

/** How the step begins in the log: with it the turn and the session, when they do, and what was said to it meanwhile. */
export async function stepOpening(deps: Pick<SessionStepDeps, 'messages'>, input: StepBeginning): Promise<EventBody[]> {
  const { turnId, step, steering = [] } = input;
  const [message, steered] = await Promise.all([
    beginsTurn(input) ? messageOf(deps, input, turnId) : undefined,
    Promise.all(steering.map(async (messageId): Promise<EventBody> => ({ type: 'turn.steered', turnId, step, messageId, ...(await messageOf(deps, input, messageId)) }))),
  ]);
  if (input.compacted) return [anew(input), ...steered];
  return [...beginningOf(input, message), ...steered, { type: 'step.started', turnId, step }];
}

/** What is left of an opening of a turn that has begun. A step that had begun before it was refused, or before facts were recalled, begins anew. */
export function openingBehind(input: StepBeginning, opening: readonly EventBody[], history: readonly EventBody[]): readonly EventBody[] {
  const left = yetToBegin(opening, history);
  return isStarted(opening) && !isStarted(left) ? [anew(input), ...left] : left;
}

const isStarted = (opening: readonly EventBody[]): boolean => opening.some(({ type }) => type === 'step.started');

/** It has begun already: this activity's attempts are not its first. */
const anew = ({ turnId, step }: StepBeginning): EventBody => ({ type: 'step.reset', turnId, step, attempt: activityInfo().attempt + 1 });

/** Writes how the step begins; what an earlier attempt has streamed of it is taken back. @throws DomainError `log/moved` when one has answered meanwhile, `turn/ended` */
export async function writeOpening(deps: Pick<SessionStepDeps, 'log' | 'live'>, input: StepBeginning, events: readonly EventBody[]): Promise<{ head: number }> {
  const { turnId, step, after } = input;
  // An attempt that was given up for dead may have answered since this one looked.
  const limits = { notBehind: batchKeys.turnCompleted(turnId), unless: batchKeys.stepCompleted(turnId, step) };
  const opened = await record(deps, input, { after, key: input.compacted ? batchKeys.stepRestarted(turnId, step) : batchKeys.stepStarted(turnId, step), events, ...limits, unwritten: yetToBegin });
  if (!opened.repeated) return opened;
  const { attempt } = activityInfo();
  return record(deps, input, {
    after: opened.head,
    key: batchKeys.stepReset(turnId, step, attempt),
    events: [{ type: 'step.reset', turnId, step, attempt }],
    ...limits,
  });
}

interface Message {
  readonly text: string;
  readonly attachments?: Attachment[];
}

/** What a user sent, as the log has it. */
async function messageOf({ messages }: Pick<SessionStepDeps, 'messages'>, { tenantId, sessionId }: SessionRef, messageId: string): Promise<Message> {
  const { text, attachments = [] } = await messages.get({ tenantId, sessionId }, messageId);
  return { text, ...(attachments.length > 0 && { attachments: [...attachments] }) };
}

export const sessionStarted = (agent: AgentPin | undefined): EventBody => ({ type: 'session.started', ...(agent && { agent }) });

function beginningOf({ turnId, after, announced, agent }: Pick<StepBeginning, 'turnId' | 'after' | 'announced' | 'agent'>, message: Message | undefined): EventBody[] {
  return [
    ...(after === 0 ? [sessionStarted(agent)] : []),
    ...(message && !announced ? [{ type: 'turn.queued', turnId } as const] : []),
    ...(message ? [{ type: 'turn.started', turnId, ...message } as const] : []),
  ];
}
