import { z } from 'zod';
import { AgentPin } from './agent';
import type { Budget } from './budget';
import { maxErrandDepth } from './called-agent';
import { sessionIdPattern } from './names';

export const SessionId = z.string().regex(sessionIdPattern, 'a session id is 1-64 letters, digits and -');

/** One conversation, wherever it is kept. */
export interface SessionRef {
  readonly tenantId: string;
  readonly sessionId: string;
}

/**
 * What becomes of a message that arrives while a turn runs or waits: its turn waits for those before it; it becomes part of the
 * running turn at that turn's next step; it stops the running turn and runs next; it is refused.
 */
export const OnBusy = z.enum(['enqueue', 'steer', 'interrupt', 'reject']);
export type OnBusy = z.infer<typeof OnBusy>;

export const turnOutcomes = ['completed', 'interrupted', 'cancelled', 'failed', 'budget_exhausted', 'max_steps', 'timed_out'] as const;
export type TurnOutcome = (typeof turnOutcomes)[number];

/** The call of an agent that a session works for. `depth`: sessions above it. */
export const ParentCall = z.object({ sessionId: SessionId, turnId: z.string(), step: z.number().int().min(1), callId: z.string(), depth: z.number().int().min(1).max(maxErrandDepth) });
export type ParentCall = z.infer<typeof ParentCall>;

/** What a session is opened for by such a call: one turn, within these bounds. */
export interface Errand {
  /** Its only message. */
  readonly turnId: string;
  readonly depth: number;
  /** Of the session's whole life. */
  readonly budget?: Budget;
  /** Of the turn, while it works. */
  readonly timeoutMs?: number;
}

export const SessionRecord = z.object({
  tenantId: z.string(),
  sessionId: SessionId,
  /** Cognito `sub` of the user who opened it. */
  userId: z.string(),
  createdAt: z.iso.datetime(),
  /** The agent it keeps to. Absent: the tenant's own, whose changes reach its next turn. */
  agent: AgentPin.optional(),
  closedAt: z.iso.datetime().optional(),
  /** What it begins with: the log of another session of its user, up to the end of a turn. */
  forkedFrom: z.object({ sessionId: SessionId, turnId: z.string(), upTo: z.number().int().min(1) }).optional(),
  /** Of a session that one agent works in for another. Nobody else sends it messages. */
  parent: ParentCall.optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

export const maxMessageCharacters = 32_000;
