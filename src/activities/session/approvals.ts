import { cancellationSignal } from '@temporalio/activity';
import { z } from 'zod';
import { DomainError, errors } from '../../contracts/errors';
import type { EventBody, SessionEvent } from '../../contracts/events';
import type { JsonValue } from '../../contracts/model';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import { rulingAmong, termsOf } from '../../domain/approval-policy';
import { isAllowedOrigin } from '../../domain/egress';
import { retryAfter } from '../../domain/retry-after';
import type { Decision, PendingApproval, Verdict } from '../../domain/session';
import { agentOf } from './agent';
import { approvalRecords, approvalRequest, pendingFrom } from './approval-events';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import type { ToolSet } from './tools';
import type { Recorded } from './use-tool';

interface ApprovalInput extends TurnInput {
  /** Whose session it is. */
  readonly userId: string;
  readonly step: number;
  readonly callId: string;
  readonly tool: string;
  readonly approvalId: string;
  readonly configVersion: number;
}

export interface DecideApprovalInput extends ApprovalInput {
  /** Absent: nobody decided in time. */
  readonly decision?: Decision;
  /** Absent: more people must approve. */
  readonly verdict?: Verdict;
  /** Who has decided. */
  readonly by: readonly string[];
}

export interface DecidedApproval extends Recorded {
  /** Of edited arguments: where they are, and what they wait for. */
  readonly next?: { readonly inputAt: number; readonly approval: PendingApproval };
}

export type NotifyApprovalInput = ApprovalInput;

/** What a person said with a decision, as it is stored under the decision's id. */
export const DecisionText = z.object({ note: z.string().optional(), arguments: z.json().optional() });
type DecisionText = z.infer<typeof DecisionText>;

const deniedText = 'The call was not allowed.';

export const createApprovalActivities = (deps: SessionStepDeps) => ({
  /**
   * Writes a decision, what it comes to, and the result of a call that was denied; then lists follow. Edited arguments are
   * asked for anew.
   *
   * @throws DomainError `turn/ended` when the turn was stopped before this was written.
   */
  async decideApproval(input: DecideApprovalInput): Promise<DecidedApproval> {
    const { turnId, step, callId, approvalId, after, decision, verdict, by } = input;
    const { agent } = await agentOf(deps, input);
    const said = decision ? DecisionText.parse(JSON.parse((await deps.messages.get(sessionOf(input), decision.decisionId)).text)) : {};
    const { events, head } = await record(deps, input, {
      after,
      key: batchKeys.approvalDecided(turnId, step, callId, decision?.decisionId ?? `${approvalId}-expired`),
      events: decisionEvents(input, said, agent, await deps.toolbox.of(input.tenantId, agent)),
      notBehind: batchKeys.turnCompleted(turnId),
    });
    if (verdict) await deps.approvals.decide(sessionOf(input), approvalId, { decision: verdict, by, expired: !decision, at: events[0]?.at ?? '' });
    await deps.approvals.open(approvalRecords(events, input));
    return { head, ...nextOf(events, agent) };
  },

  /** Tells whom the tenant named that a call waits, and notes what became of it. Nobody is told of one that no longer waits, or again of one that is noted. @param input - `after`: where the turn began. */
  async notifyApproval(input: NotifyApprovalInput): Promise<Recorded> {
    const { turnId, step, callId, tool, approvalId, after } = input;
    const key = batchKeys.approvalNotified(turnId, step, callId, approvalId);
    const noted = await deps.log.find(sessionOf(input), { after, key });
    if (noted) return { head: noted.at(-1)?.seq ?? after };
    const waiting = await deps.approvals.get(sessionOf(input), approvalId);
    const { agent } = await agentOf(deps, input);
    if (waiting?.state !== 'waiting' || !agent.approvalWebhook) return { head: after };
    const { argumentsHash, quorum, requestedAt, expiresAt } = waiting;
    const payload = {
      type: 'approval.requested',
      timestamp: requestedAt,
      data: { ...sessionOf(input), turnId, approvalId, tool, argumentsHash, quorum, expiresAt },
    };
    const told = await deliver(deps, agent, approvalId, payload);
    const events: EventBody[] = [{ type: 'approval.notified', turnId, step, callId, tool, approvalId, ...told }];
    const { head } = await record(deps, input, { after, key, events, notBehind: batchKeys.sessionClosed() });
    return { head };
  },
});

const sessionOf = ({ tenantId, sessionId }: SessionRef): SessionRef => ({ tenantId, sessionId });

function decisionEvents(input: DecideApprovalInput, { note, arguments: edited }: DecisionText, agent: AgentConfig, toolbox: ToolSet): EventBody[] {
  const { turnId, step, callId, tool, approvalId, decision, verdict, by } = input;
  const call = { turnId, step, callId, tool };
  const of = { ...call, approvalId };
  return [
    ...(decision ? [{ type: 'approval.voted', ...of, by: decision.by, decision: decision.decision, ...(note !== undefined && { note }) } as const] : []),
    ...(verdict ? [{ type: 'approval.decided' as const, ...of, decision: verdict, by: [...by], ...(!decision && { expired: true as const }) }] : []),
    ...(verdict === 'denied' ? [{ type: 'tool.failed', ...call, code: 'tool/denied', message: denialOf(decision !== undefined, note) } as const] : []),
    ...(decision && verdict === 'edited' ? [requestAnew({ ...input, decision }, edited ?? null, agent, toolbox)] : []),
  ];
}

const denialOf = (isByPerson: boolean, note: string | undefined): string =>
  isByPerson ? `${deniedText} ${note === undefined ? 'A person denied it.' : `A person denied it: ${note}`}` : `${deniedText} Nobody approved it in time.`;

function requestAnew(input: DecideApprovalInput & { decision: Decision }, edited: JsonValue, { approvals }: AgentConfig, toolbox: ToolSet): EventBody {
  const { tool, approvalId, configVersion, decision } = input;
  const ruling = rulingAmong(toolbox, approvals, { tool, input: edited });
  const terms = ruling.decision === 'ask' ? ruling.terms : termsOf(approvals);
  return approvalRequest({ ...input, input: edited, policyVersion: configVersion, terms, edit: { approvalId, decisionId: decision.decisionId, by: decision.by } }, Date.now());
}

function nextOf(events: readonly SessionEvent[], agent: AgentConfig): Pick<DecidedApproval, 'next'> {
  const asked = events.find((event) => event.type === 'approval.requested');
  return asked ? { next: { inputAt: asked.seq, approval: pendingFrom(asked, agent) } } : {};
}

/** An address that may not be called will not be allowed by trying again. */
function orFailure(error: unknown): { failure: string } {
  if (error instanceof DomainError && !errors[error.code].retryable) return { failure: error.message };
  throw error;
}

/** @returns the status it was taken with, or why it was given up. @throws DomainError, retryable, when it may succeed later. */
async function deliver({ webhooks }: SessionStepDeps, agent: AgentConfig, id: string, payload: object): Promise<{ status: number } | { failure: string }> {
  const { url = '', secret } = agent.approvalWebhook ?? {};
  if (secret === undefined) return { failure: 'The webhook has no secret.' };
  if (!isAllowedOrigin(agent.allowedOrigins, url)) return { failure: `${new URL(url).origin} is not among the origins this tenant allows.` };
  const delivered = await webhooks.deliver({ url, secret, id, payload, signal: cancellationSignal() }).catch(orFailure);
  if ('failure' in delivered) return delivered;
  const { status } = delivered;
  if (status >= 200 && status < 300) return { status };
  if (status >= 500 || status === 408 || status === 429) throw new DomainError('tool/failed', `The webhook answered ${status}.`, retryAfter(delivered.retryAfter, Date.now()));
  return { failure: `The webhook answered ${status}.` };
}
