import type { ExhaustedBudget } from '../../contracts/budget';
import type { TurnOutcome } from '../../contracts/session';
import type { Compaction, CompactionPlan } from '../compaction';

/** Messages that may wait in one session. */
export const maxInbox = 100;
/** Turn ids remembered, so that a message sent again after a roll-over is recognised. */
export const maxSeen = 256;
/** Turns after which the workflow continues as new; or events of its history, as turns of many tools have more: a new worker replays them all. */
export const turnsPerRun = 25;
export const eventsPerRun = 400;
/** Where the latest turns begin in the log; as many as a model may be shown. */
export const maxTurnStarts = 100;
/** Waiting turns announced in one write. */
export const maxAnnounced = 50;
/** Messages that join the running turn in one of its steps. */
export const maxSteering = 16;

/** A tool call that waits for its result, with what the workflow needs to run it. */
export interface OpenCall {
  readonly callId: string;
  readonly tool: string;
  /** Sequence number of its `tool.requested` event, which holds the input. */
  readonly requestedAt: number;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  /** Once begun it is left to finish, whatever becomes of its turn. */
  readonly finishes?: true;
  /** Calls of its tool that run at once; absent: any number. */
  readonly maxAtOnce?: number;
  /** Where its arguments are when a person has changed them. */
  readonly inputAt?: number;
  /** Of a call of another agent: the session in which that agent works on it. */
  readonly childSessionId?: string;
  /** Set while it does. */
  readonly isWithChild?: true;
  /** Set while it waits for people: it must not run. */
  readonly approval?: PendingApproval;
  /** Set while it waits for what the user answers. */
  readonly question?: PendingQuestion;
}

/** What the user was asked. */
export interface PendingQuestion {
  readonly questionId: string;
  /** Sequence number of its `question.asked` event, which says it. */
  readonly askedAt: number;
  /** Moved on by the time the tenant was suspended meanwhile. */
  readonly expiresAtMs: number;
}

/** What a call waits for; what is asked is in the log. */
export interface PendingApproval {
  readonly approvalId: string;
  readonly quorum: number;
  /** Users who may not approve it. */
  readonly barred: readonly string[];
  /** Moved on by the time the tenant was suspended meanwhile. */
  readonly expiresAtMs: number;
  readonly onExpiry: 'approve' | 'deny';
  /** Who has approved so far. */
  readonly votes: readonly { readonly by: string; readonly decisionId: string }[];
  /** Whether somebody is to be told by a webhook, and has not been yet. */
  readonly notify?: true;
}

/** Why a message waits ahead of the queue: it stopped the turn before it, or was meant for it and came too late. */
export type Precedence = 'interrupts' | 'steers';

export interface QueuedTurn {
  readonly turnId: string;
  /** Whether its `turn.queued` event is in the log, on its way there, or left to the turn's first step. */
  readonly announcement: 'none' | 'pending' | 'done';
  readonly cancelled: boolean;
  readonly precedence?: Precedence;
  /** Whether nobody is there whom it could ask. */
  readonly unattended?: true;
  /** The turn it is to become part of, at that turn's next step. When that has ended, it is a turn of its own. */
  readonly steers?: string;
}

export interface TurnEnd {
  readonly outcome: TurnOutcome;
  readonly code?: string;
  readonly message?: string;
}

export interface CurrentTurn {
  readonly turnId: string;
  readonly announced: boolean;
  /** 1 is the first. */
  readonly step: number;
  readonly calls: readonly OpenCall[];
  readonly unattended?: true;
  /** Messages that join it in the step that is thought now. */
  readonly steering?: readonly string[];
  /** Moved on by the time the turn has rested: its limit counts time at work. */
  readonly startedAtMs: number;
  /** Of the agent's configuration, as the first step read it: the turn finishes as it began. */
  readonly configVersion?: number;
  /** Where in the log is what is remembered of the user, for every step of the turn. */
  readonly factsAt?: number;
  /** Set while it rests between two steps. */
  readonly restingSinceMs?: number;
  /** Set while this step has been refused for want of budget. */
  readonly outOfBudget?: BudgetPause;
  /** When every worker knows of a budget that was changed while the turn did not wait for it: the step under way may not have known. */
  readonly budgetHeardAtMs?: number;
  /** What must be summarised before this step is thought again; `done` once that was tried: then it is thought, come what may. */
  readonly compacting?: CompactionPlan | 'done';
  /** Set once the turn is to end for another reason than the model's last word. */
  readonly end?: TurnEnd;
}

/** A turn that was completed, and from which facts are still to be extracted. */
export interface Extraction {
  readonly turnId: string;
  /** Its last. */
  readonly step: number;
  /** Where the log stood when it began, and where it ends. */
  readonly after: number;
  readonly upTo: number;
  readonly configVersion?: number;
  /** When it is given up; moved on by the time the tenant was suspended meanwhile. */
  readonly giveUpAtMs: number;
}

/** Why a turn waits, and when it tries again. */
export interface BudgetPause extends ExhaustedBudget {
  readonly retryAtMs: number;
  /** When the turn ends instead; moved on by the time the tenant was suspended meanwhile. */
  readonly giveUpAtMs: number;
  /** Whether the step is being tried again just now. */
  readonly isRetrying: boolean;
}

/** A call whose effect is to be taken back: where it is in the log. */
export interface UndoCall {
  readonly callId: string;
  readonly step: number;
  readonly tool: string;
  /** Sequence numbers of what asked for it, of the arguments that a person has put in place of those, and of its result. */
  readonly requestedAt: number;
  readonly inputAt?: number;
  readonly doneAt: number;
}

/** What a turn has done is to be taken back, call by call. */
export interface Undo {
  readonly undoId: string;
  readonly turnId: string;
  /** Where the turn ends in the log. */
  readonly upTo: number;
  /** Newest first; absent until the log was asked. */
  readonly calls?: readonly UndoCall[];
  /** Set while an activity works on it. */
  readonly isAtWork?: true;
}

/** Where a held session comes to rest: when its turn has ended, or already before the turn's next step. */
export type RestPoint = 'turn' | 'step';

/** What the agent's configuration allows, as the latest step read it. */
export interface TurnLimits {
  readonly maxSteps: number;
  readonly maxTurnMs: number;
  /** Turns of history the model is shown. */
  readonly historyTurns: number;
}

/** All that a session's workflow carries: ids, counters and places in the log, never a text. */
export interface SessionState {
  /** Highest sequence number of the log that the workflow knows. */
  readonly head: number;
  readonly inbox: readonly QueuedTurn[];
  readonly current?: CurrentTurn;
  readonly closing: boolean;
  /** Set while the tenant is suspended: nothing new begins past this point. */
  readonly heldAt?: RestPoint;
  readonly heldSinceMs?: number;
  /** `[turnId, head when it was taken]`, oldest first. */
  readonly seen: readonly (readonly [string, number])[];
  readonly turnStarts: readonly number[];
  readonly turnCount: number;
  /** The last one: the model reads a summary of what was before. */
  readonly compaction?: Compaction;
  readonly limits: TurnLimits;
  /** Oldest first; the first is at work unless the session is held. */
  readonly extractions?: readonly Extraction[];
  /** Oldest first; each is done before the next turn begins. */
  readonly undos?: readonly Undo[];
  /** The latest approvals that were decided, and by which decisions. */
  readonly settled?: readonly { readonly approvalId: string; readonly decisionIds: readonly string[] }[];
}

export const newSession: SessionState = {
  head: 0,
  inbox: [],
  closing: false,
  seen: [],
  turnStarts: [],
  turnCount: 0,
  /** Until the first step has read the agent's own. */
  limits: { maxSteps: 12, maxTurnMs: 600_000, historyTurns: 30 },
};

/** Activities run side by side and may report heads in any order. */
export const advance = (state: SessionState, head: number): SessionState => ({ ...state, head: Math.max(state.head, head) });

export const isBusy = (state: SessionState): boolean => state.current !== undefined || state.inbox.length > 0 || state.undos !== undefined;

/** The log's head when this turn was first taken; undefined for a new one. */
export const takenAt = (state: SessionState, turnId: string): number | undefined =>
  state.seen.find(([seen]) => seen === turnId)?.[1];
