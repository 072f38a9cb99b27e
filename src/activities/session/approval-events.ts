import type { ApprovalRecord, ApprovalTerms } from '../../contracts/approval';
import { argumentsHash } from '../../contracts/arguments-hash';
import type { EventBody, SessionEvent } from '../../contracts/events';
import { derivedId } from '../../contracts/ids';
import type { JsonValue } from '../../contracts/model';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import type { PendingApproval } from '../../domain/session';

type ApprovalRequested = Extract<EventBody, { type: 'approval.requested' }>;

/** A call that people are to decide about. */
export interface AskedCall extends SessionRef {
  /** Whose session it is. */
  readonly userId: string;
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
  readonly tool: string;
  readonly input: JsonValue;
  readonly policyVersion: number;
  readonly terms: ApprovalTerms;
  /** The approval whose arguments were edited, by which decision, and who did. */
  readonly edit?: { readonly approvalId: string; readonly decisionId: string; readonly by: string };
}

/** Asks for the exact call: tool, arguments, version of the policy. */
export function approvalRequest(call: AskedCall, nowMs: number): ApprovalRequested {
  const { tenantId, sessionId, userId, turnId, step, callId, tool, input, policyVersion, terms, edit } = call;
  const unique = edit ? [edit.approvalId, edit.decisionId] : [];
  return {
    type: 'approval.requested',
    turnId,
    step,
    callId,
    tool,
    approvalId: derivedId('approval', tenantId, sessionId, turnId, String(step), callId, ...unique),
    argumentsHash: argumentsHash(input),
    policyVersion,
    quorum: terms.quorum,
    barred: terms.notRequester ? [...new Set([userId, ...(edit ? [edit.by] : [])])] : [],
    expiresAt: new Date(nowMs + terms.expiresAfterSeconds * 1_000).toISOString(),
    onExpiry: terms.onExpiry,
    ...(edit && { replaces: edit.approvalId, arguments: input }),
  };
}

/** What the workflow keeps of it. */
export const pendingFrom = ({ approvalId, quorum, barred, expiresAt, onExpiry }: ApprovalRequested, { approvalWebhook }: AgentConfig): PendingApproval => ({
  approvalId,
  quorum,
  barred,
  expiresAtMs: Date.parse(expiresAt),
  onExpiry,
  votes: [],
  ...(approvalWebhook && { notify: true }),
});

/** What lists show of the approvals that these events ask for. */
export function approvalRecords(events: readonly SessionEvent[], { tenantId, sessionId, userId }: SessionRef & { userId: string }): ApprovalRecord[] {
  return events.flatMap((event): ApprovalRecord[] => {
    if (event.type !== 'approval.requested') return [];
    const { seq, at, barred, arguments: edited, replaces } = event;
    const argumentsAt = edited === undefined ? events.find((other) => other.type === 'tool.requested' && other.callId === event.callId)?.seq : seq;
    const { approvalId, turnId, step, callId, tool, argumentsHash: hash, policyVersion, quorum, expiresAt, onExpiry } = event;
    const call = { tenantId, sessionId, userId, turnId, step, callId, tool, argumentsHash: hash, argumentsAt: argumentsAt ?? seq };
    const terms = { policyVersion, quorum, notRequester: barred.length > 0, expiresAt, onExpiry };
    return [{ approvalId, ...call, ...terms, requestedAt: at, state: 'waiting', ...(replaces !== undefined && { replaces }) }];
  });
}
