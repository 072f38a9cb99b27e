import type { EventBody, SessionEvent } from '../contracts/events';
import type { Drain } from '../contracts/operation';
import { cancelledQuestion, openQuestions } from './questions';
import { cancelledApproval, openApprovals, openCalls } from './transcript';

/** How a session is made to end; each stage is tried before the next. */
export type DrainStage = 'close' | 'cancel' | 'terminate';

/** How long a session may take to end after its turns were cancelled, before its workflow is terminated. */
const cancelGraceMs = 30_000;

/** When turns that still run are cancelled. */
export const cancelTurnsAtMs = ({ policy, seconds }: Drain, blockedAtMs: number): number => blockedAtMs + (policy === 'stop' ? 0 : seconds * 1_000);

/** A session without a turn ends in the first stage, whatever the policy: it is asked to close, and has nothing to wait for. */
export function drainStageAt(nowMs: number, cancelAtMs: number): DrainStage {
  if (nowMs < cancelAtMs) return 'close';
  return nowMs < cancelAtMs + cancelGraceMs ? 'cancel' : 'terminate';
}

const cutOff = { code: 'tenant/leaving', message: 'It was cut off: the tenant was offboarded.' } as const;

/**
 * What a log lacks to be that of a closed session: results of open tool requests, ends of open turns, its own end.
 * @param log - all of it. @returns nothing when the session is closed.
 */
export function missingEnd(log: readonly SessionEvent[]): EventBody[] {
  if (log.some(({ type }) => type === 'session.closed')) return [];
  const ended = new Set(log.flatMap((event) => (event.type === 'turn.completed' ? [event.turnId] : [])));
  const begun = new Set(log.flatMap((event) => (event.type === 'turn.queued' || event.type === 'turn.started' ? [event.turnId] : [])));
  const ends = [...begun].flatMap((turnId): EventBody[] => (ended.has(turnId) ? [] : endOfTurn(turnId, log)));
  return [...ends, { type: 'session.closed' }];
}

function endOfTurn(turnId: string, log: readonly SessionEvent[]): EventBody[] {
  const ofTurn = log.filter((event) => 'turnId' in event && event.turnId === turnId);
  return [
    ...openApprovals(ofTurn).map(cancelledApproval),
    ...openQuestions(ofTurn).map(cancelledQuestion),
    ...openCalls(ofTurn).map(({ step, callId, tool }): EventBody => ({ type: 'tool.failed', turnId, step, callId, tool, ...cutOff })),
    { type: 'turn.completed', turnId, outcome: 'cancelled', ...cutOff },
  ];
}
