import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { AgentPin } from '../contracts/agent';
import type { ExhaustedBudget } from '../contracts/budget';
import { taskQueues, workflowIds } from '../contracts/names';
import type { Errand, OnBusy, ParentCall } from '../contracts/session';
import type { Decision, GivenAnswer, RestPoint, SessionState } from '../domain/session';
import { tenantKey } from './search-attributes';

/** What a client needs to speak with a session's workflow. */
export interface SessionInput {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly userId: string;
  /** Whose log it begins with. */
  readonly fork?: ForkSource;
  /** The version it keeps to; absent: the tenant's own agent. */
  readonly agent?: AgentPin;
  /** What it was opened for by a call of another agent: it takes no other message, and closes then. */
  readonly errand?: Errand;
  /** Carried over from the run before. */
  readonly state?: SessionState;
}

/** The log of another session of the user, up to the end of a turn. */
export interface ForkSource {
  readonly sessionId: string;
  readonly turnId: string;
  /** Where the turn ends in it. */
  readonly upTo: number;
}

export interface SubmittedMessage {
  readonly turnId: string;
  readonly userId: string;
  readonly onBusy: OnBusy;
  /** Whether nobody is there whom its turn could ask. */
  readonly unattended?: true;
}

/** A turn that has ended, whose effects its user wants taken back. */
export interface UndoRequest {
  readonly undoId: string;
  readonly turnId: string;
  readonly userId: string;
  /** Where the turn ends in the log. */
  readonly upTo: number;
}

export interface SessionView {
  readonly state: 'idle' | 'running' | 'waiting' | 'out_of_budget' | 'paused' | 'closing';
  readonly head: number;
  readonly turnCount: number;
  readonly queuedTurns: number;
  /** Absent: none. */
  readonly waitingApprovals?: number;
  readonly waitingQuestions?: number;
  /** What it waits for, when it is out of budget. */
  readonly exhausted?: ExhaustedBudget;
}

/** The update id is the turn id: a message sent twice opens one turn. @returns the log's head when it was taken. */
export const submitMessage = defineUpdate<{ after: number }, [SubmittedMessage]>('submitMessage');
/** `false` when no such turn runs or waits. */
export const cancelTurn = defineUpdate<boolean, [{ turnId?: string }]>('cancelTurn');
/** Waits until a fork has all it begins with. `false` when this session is no fork of that. */
export const forkSession = defineUpdate<boolean, [ForkSource]>('forkSession');
/** A person decides about a tool call; the update id is the decision's. Returns when it is in the log. */
export const decideApproval = defineUpdate<boolean, [Decision]>('decideApproval');
/** The user answers a question of the agent; the update id is the answer's. Returns when it is in the log. */
export const answerQuestion = defineUpdate<boolean, [GivenAnswer]>('answerQuestion');
/** Takes back what a turn has done, before the next turn begins; the update id is the request's. @returns the log's head when it was taken. */
export const undoTurn = defineUpdate<{ after: number }, [UndoRequest]>('undoTurn');
export const closeSession = defineSignal('closeSession');
/** The tenant is suspended: the session comes to rest, at the end of its turn or before its next step. */
export const holdSession = defineSignal<[{ at: RestPoint }]>('holdSession');
/** It goes on where it rests. */
export const releaseSession = defineSignal('releaseSession');
/** A budget has changed: a session that waits for one tries again once every worker has heard. */
export const budgetChanged = defineSignal<[{ heardAfterMs: number }]>('budgetChanged');
/** Stays in the history of a run of the maintenance that an operator had its schedule start: nobody handles it. */
export const startedByHand = defineSignal<[{ who: string; why: string }]>('startedByHand');
export const readSession = defineQuery<SessionView>('session');
/** How a session's workflow is started, by whoever starts it; what operators see of it. @param parent - the session that calls, of an errand. */
export const sessionStart = (input: SessionInput, parent?: Pick<ParentCall, 'sessionId'>) => ({
  workflowId: workflowIds.session(input.tenantId, input.sessionId),
  taskQueue: taskQueues.sessions,
  args: [input] as [SessionInput],
  workflowIdReusePolicy: 'REJECT_DUPLICATE' as const,
  // A worker that died at work on it is noticed after this: sooner than whoever sends a message meanwhile gives up.
  workflowTaskTimeout: '5 seconds' as const,
  typedSearchAttributes: [{ key: tenantKey, value: input.tenantId }],
  staticSummary: parent ? `${input.agent?.name ?? 'Agent'} of ${input.tenantId}, for ${parent.sessionId}` : `Conversation of ${input.tenantId}`,
  staticDetails: `Session \`${input.sessionId}\` of tenant **${input.tenantId}**. ${parent ? `An agent works in it on one task, for session \`${parent.sessionId}\`` : 'One turn per message'}; texts are in the tenant's own table.`,
  priority: { fairnessKey: input.tenantId },
});

/** Names under which clients and schedules start the workflows. */
export const sessionWorkflow = 'session';
export const scheduledRunWorkflow = 'scheduledRun';
