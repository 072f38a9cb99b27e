import type { AgentPin } from '../contracts/agent';
import type { ExhaustedBudget } from '../contracts/budget';
import type { Decision } from '../contracts/approval';
import type { GivenAnswer } from '../contracts/question';
import type { OnBusy, SessionRecord, SessionRef } from '../contracts/session';

export interface SessionStatus {
  /** `waiting`: for people, who are to approve tool calls or answer questions. `out_of_budget`: the turn waits before its next step for `exhausted` to be raised or renewed. `paused`: the tenant is suspended; a turn may rest between two steps, and messages may wait. */
  readonly state: 'idle' | 'running' | 'waiting' | 'out_of_budget' | 'paused' | 'closing' | 'closed';
  /** Highest sequence number the workflow knows. */
  readonly head: number;
  readonly turnCount: number;
  readonly queuedTurns: number;
  /** Tool calls that wait for people; absent: none. */
  readonly waitingApprovals?: number;
  /** Questions that wait for the user's answer; absent: none. */
  readonly waitingQuestions?: number;
  readonly exhausted?: ExhaustedBudget;
}

/** The session workflows, through Temporal. All verbs are idempotent. */
export interface Sessions {
  /**
   * Hands a stored message to the session, starting its workflow if none runs.
   * @param message - `agent`: the version the session keeps to, as its record has it. `unattended`: nobody is there whom the turn could ask.
   * @returns `after`: the log's head when the message was taken; the turn's events come after it.
   * @throws DomainError `session/closed`, `session/busy` (onBusy reject), `session/inbox-full`, `dependency/unavailable`.
   */
  submit(session: SessionRef, message: { turnId: string; userId: string; onBusy: OnBusy; agent?: AgentPin | undefined; unattended?: true }): Promise<{ turnId: string; after: number }>;
  /** @returns as {@link submit} did for this turn, when the workflow that took it has not begun anew since, nor been forgotten by Temporal; else undefined. */
  takenAt(session: SessionRef, turnId: string): Promise<number | undefined>;
  /**
   * Has what a turn has done taken back, before the session's next turn; starts its workflow if none runs. Comes back when that is noted: the log tells the rest.
   * @param request - `upTo`: where the turn ends in the log. `agent`: as in {@link submit}.
   * @returns `after`: the log's head when it was taken.
   * @throws DomainError `session/closed`, `session/of-agent`, `session/inbox-full`, `dependency/unavailable`.
   */
  undo(session: SessionRef, request: { undoId: string; turnId: string; userId: string; upTo: number; agent?: AgentPin | undefined }): Promise<{ after: number }>;
  /** Stops the running turn (or drops the queued one). Fine when it has ended. @throws DomainError `turn/not-found`. */
  cancel(session: SessionRef, turnId?: string): Promise<void>;
  /**
   * Hands a person's decision to the session; what was said with it is stored. Returns when it is in the log.
   * @throws DomainError `approval/closed`, `approval/own-request`, `approval/already-voted`.
   */
  decideApproval(session: SessionRef, decision: Decision): Promise<void>;
  /**
   * Hands the user's answer to the session; what it says is stored. Returns when it is in the log.
   * @throws DomainError `question/closed`, `question/not-found`.
   */
  answerQuestion(session: SessionRef, answer: GivenAnswer): Promise<void>;
  /**
   * Begins a session with the log of another, and waits until it has it. The same again is fine.
   * @returns false when that takes longer: it goes on.
   * @throws DomainError `session/exists` when the id belongs to another session.
   */
  fork(session: SessionRef, of: Pick<SessionRecord, 'userId' | 'agent'>, source: { sessionId: string; turnId: string; upTo: number }): Promise<boolean>;
  /**
   * Finishes the running turn, then closes. Fine when closed.
   * @param record - with it, one in which nobody has spoken yet begins, and closes; not one that is closed, or that an agent works in for another. Without, only one that runs does.
   */
  close(session: SessionRef, record?: Pick<SessionRecord, 'userId' | 'agent' | 'parent' | 'closedAt'>): Promise<void>;
  /** Lets it come to rest at the end of its turn, or before its next step. Fine when it has ended. */
  hold(session: SessionRef, at: 'turn' | 'step'): Promise<void>;
  /** Lets it go on where it rests. Fine when it does not rest, or has ended. */
  release(session: SessionRef): Promise<void>;
  /** Has it try again, should it wait for budget; every worker has heard after so long. Fine when it does not, or has ended. */
  budgetChanged(session: SessionRef, heardAfterMs: number): Promise<void>;
  /** Ends it at once, in the middle of whatever it does and without a trace in its log: when its data are about to go. Fine when it has ended. */
  terminate(session: SessionRef): Promise<void>;
  /** `idle` with head 0 when no message was sent yet; `closed` with head 0 when its workflow was cut off and says nothing any more. */
  status(session: SessionRef): Promise<SessionStatus>;
  /** Whether its workflow runs. */
  isRunning(session: SessionRef): Promise<boolean>;
  /** Whether its workflow ran and has ended, in order or not. */
  hasEnded(session: SessionRef): Promise<boolean>;
  /**
   * Ends and deletes workflows of the tenant's sessions, those that ended long ago too: their ids are free then, and a session
   * of the same id begins anew with what its log holds. @returns how many it found; Temporal's list lags behind.
   */
  forgetAll(tenantId: string): Promise<number>;
  /** Ids of the tenant's sessions whose workflow runs. */
  running(tenantId: string): AsyncIterable<SessionRef>;
}
