import type { Decision } from '../../contracts/approval';
import { omit } from '../omit';
import { changeCalls } from './calls';
import { advance, type OpenCall, type PendingApproval, type SessionState } from './state';

/** Approvals whose end is remembered, so that a decision sent again is recognised. */
const maxSettled = 64;

export type { Decision };

export type DecisionRefusal = 'approval/closed' | 'approval/own-request' | 'approval/already-voted';

export type Verdict = 'approved' | 'denied' | 'edited';

/** What a decision comes to. */
export interface Weighed {
  /** Who has approved so far, this one included. */
  readonly votes: PendingApproval['votes'];
  /** Absent: more people must approve. */
  readonly verdict?: Verdict;
}

/** A call that waits for people's approval. */
export type WaitingCall = OpenCall & { readonly approval: PendingApproval };

export const waitsForApproval = (call: OpenCall): call is WaitingCall => call.approval !== undefined;

export const waitingCalls = ({ current }: SessionState): WaitingCall[] => (current && !current.end ? current.calls.filter(waitsForApproval) : []);

export const waitingCall = (state: SessionState, approvalId: string): WaitingCall | undefined =>
  waitingCalls(state).find(({ approval }) => approval.approvalId === approvalId);

/** Whether this very decision was taken before. */
export const isTaken = (state: SessionState, { approvalId, decisionId }: Decision): boolean =>
  (state.settled ?? []).some((settled) => settled.approvalId === approvalId && settled.decisionIds.includes(decisionId)) ||
  waitingCall(state, approvalId)?.approval.votes.some((vote) => vote.decisionId === decisionId) === true;

/**
 * Whether the step that asks is not through yet: its approvals can be seen from when they are in the log, a moment before the workflow
 * hears of them, and for longer when the worker dies in between.
 */
export const isBeingAsked = ({ current }: SessionState, { turnId, step }: Decision): boolean =>
  current !== undefined && !current.end && current.turnId === turnId && current.step === step && current.calls.length === 0;

/** Why a decision can't be taken; undefined when it can. */
export function refusalOf(state: SessionState, { approvalId, by, decision }: Decision): DecisionRefusal | undefined {
  const call = waitingCall(state, approvalId);
  if (!call) return 'approval/closed';
  if (decision === 'approve' && call.approval.barred.includes(by)) return 'approval/own-request';
  return decision === 'approve' && call.approval.votes.some((vote) => vote.by === by) ? 'approval/already-voted' : undefined;
}

/** One who denies or edits decides alone; approvals count until there are enough. */
export function weigh({ approval }: WaitingCall, { by, decisionId, decision }: Decision): Weighed {
  const votes = [...approval.votes, { by, decisionId }];
  if (decision !== 'approve') return { votes, verdict: decision === 'deny' ? 'denied' : 'edited' };
  return votes.length >= approval.quorum ? { votes, verdict: 'approved' } : { votes };
}

/** A vote that decides nothing yet is in the log. */
export const recordVote = (state: SessionState, approvalId: string, votes: PendingApproval['votes'], head: number): SessionState =>
  changeCall(advance(state, head), approvalId, (call) => [{ ...call, approval: { ...call.approval, votes } }]);

/** Somebody was told of it. */
export const recordNotice = (state: SessionState, approvalId: string, head: number): SessionState =>
  changeCall(advance(state, head), approvalId, (call) => [{ ...call, approval: omit(call.approval, 'notify') }]);

export interface Settlement {
  readonly approvalId: string;
  readonly verdict: Verdict;
  /** Empty when nobody decided in time. */
  readonly decisionIds: readonly string[];
  readonly head: number;
  /** Of edited arguments: where they are in the log, and the approval they wait for. */
  readonly next?: { readonly inputAt: number; readonly approval: PendingApproval };
}

/**
 * The verdict is in the log, and with it the result of a call that was denied: the call can run, has its result, or waits
 * anew. When the turn was stopped meanwhile, only the log has grown.
 */
export function settle(state: SessionState, { approvalId, verdict, decisionIds, head, next }: Settlement): SessionState {
  const advanced = advance({ ...state, settled: [...(state.settled ?? []), { approvalId, decisionIds }].slice(-maxSettled) }, head);
  return changeCall(advanced, approvalId, (call) => (verdict === 'denied' ? [] : [{ ...omit(call, 'approval'), ...next }]));
}

const changeCall = (state: SessionState, approvalId: string, change: (call: WaitingCall) => OpenCall[]): SessionState =>
  changeCalls(state, (call) => (waitsForApproval(call) && call.approval.approvalId === approvalId ? change(call) : [call]));
