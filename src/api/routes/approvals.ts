import canonicalize from 'canonicalize';
import { z } from 'zod';
import { ApprovalRecord, maxNoteCharacters } from '../../contracts/approval';
import { codeOf, DomainError } from '../../contracts/errors';
import { derivedId } from '../../contracts/ids';
import type { JsonValue } from '../../contracts/model';
import { isProgram } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import { writtenText } from '../../contracts/written-text';
import { rulingAmong } from '../../domain/approval-policy';
import type { Agents } from '../../ports/agents';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { Approvals } from '../../ports/approvals';
import type { SessionLog, SessionMessages } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import type { Conversations } from '../conversations';
import { tenantRoute, type Route } from '../route';
import { pageOf, pageOfList } from './paging';
import { SessionPath, TenantPath } from './paths';

const Approval = ApprovalRecord.extend({
  /** With which the tool is called. */
  arguments: z.json(),
  /** Of an edited one: the approval that takes its place. */
  replacedBy: z.string().optional(),
});
type Approval = z.infer<typeof Approval>;

const ApprovalPath = SessionPath.extend({ approvalId: z.string().min(1).max(64) });

const note = writtenText({ max: maxNoteCharacters }).optional();

const DecisionBody = z.discriminatedUnion('decision', [
  z.strictObject({ decision: z.enum(['approve', 'deny']), note }),
  /** With which the tool is to be called instead; asked for anew. */
  z.strictObject({ decision: z.literal('edit'), arguments: z.json(), note }),
]);
type DecisionBody = z.infer<typeof DecisionBody>;

/** The part of a toolbox that says whether arguments fit. */
interface ToolChecks {
  of(tenantId: string, agent: Pick<AgentConfig, 'tools' | 'agents'>): Promise<ToolFinder>;
}

interface ToolFinder {
  find(name: string): { problemWith(input: JsonValue): string | undefined; effectOf(input: JsonValue): 'read' | 'idempotent' | 'write' } | undefined;
}

export interface ApprovalRoutesDeps {
  readonly conversations: Conversations;
  readonly approvals: Approvals;
  readonly log: SessionLog;
  readonly messages: SessionMessages;
  readonly sessionWorkflows: Sessions;
  readonly configs: AgentConfigs;
  readonly agents: Pick<Agents, 'version'>;
  readonly toolbox: ToolChecks;
}

export const approvalRoutes = (deps: ApprovalRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/approvals',
    summary: 'List tool calls that wait for approval, or those that were decided, in the sessions of all users; those asked last first',
    permission: 'approve:tool',
    params: TenantPath,
    query: pageOfList('byTime').extend({ state: z.enum(['waiting', 'decided']).default('waiting') }),
    response: pageOf(Approval),
    status: 200,
    async handle({ params: { tenantId }, query: { state, ...page } }) {
      const { approvals, ...rest } = await deps.approvals.list(tenantId, { list: state, ...page });
      return { body: { data: await Promise.all(approvals.map((record) => shown(deps, record))), ...rest } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/approvals',
    summary: 'List the approvals of a session, those asked last first',
    permission: 'read:session',
    params: SessionPath,
    response: z.object({ data: z.array(Approval) }),
    status: 200,
    async handle({ params, caller }) {
      await (caller.permissions.has('approve:tool') ? deps.conversations.record(params) : deps.conversations.mustRead(params, caller));
      const records = (await deps.approvals.ofSession(params)).sort((a, b) => (a.requestedAt < b.requestedAt ? 1 : -1));
      return { body: { data: await Promise.all(records.map((record) => shown(deps, record))) } };
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/approvals/{approvalId}',
    summary: 'Approve a tool call, deny it, or change its arguments, for which approval is then asked anew',
    permission: 'approve:tool',
    params: ApprovalPath,
    body: DecisionBody,
    response: Approval,
    status: 200,
    async handle({ params, body, caller }) {
      await decide(deps, params, { by: caller.userId, body });
      return { body: await shown(deps, await mustFind(deps, params)) };
    },
  }),
];

type ApprovalRef = SessionRef & { readonly approvalId: string };

/** What is said with a decision is stored first, under an id that the same decision always has. */
async function decide(deps: ApprovalRoutesDeps, ref: ApprovalRef, { by, body }: { by: string; body: DecisionBody }): Promise<void> {
  const { tenantId, sessionId, approvalId } = ref;
  const record = await mustFind(deps, ref);
  mustBePerson(record, { by, decision: body.decision });
  await checkEdit(deps, record, body);
  const { decision, ...said } = body;
  const decisionId = derivedId('decision', tenantId, sessionId, approvalId, by, canonicalize(body) ?? '');
  await deps.messages.put({ tenantId, sessionId }, { turnId: decisionId, userId: by, text: canonicalize(said) ?? '' });
  try {
    await deps.sessionWorkflows.decideApproval({ tenantId, sessionId }, { approvalId, decisionId, by, decision, turnId: record.turnId, step: record.step });
  } catch (error) {
    if (codeOf(error) !== 'approval/closed') throw error;
    const { state, expired } = await mustFind(deps, ref);
    throw new DomainError('approval/closed', state === 'waiting' ? 'The turn that asked for this has ended.' : `It was ${state}${expired ? ', as nobody had decided in time' : ''}.`, { cause: error });
  }
}

/** Whoever made an API key or holds a machine client's secret may be the requester, or have voted: where people count, programs do not. */
function mustBePerson({ notRequester, quorum }: ApprovalRecord, { by, decision }: { by: string; decision: DecisionBody['decision'] }): void {
  if (decision !== 'deny' && (notRequester || quorum > 1) && isProgram(by)) throw new DomainError('auth/forbidden', 'The policy asks for people here: a program cannot approve this.');
}

async function mustFind({ approvals }: ApprovalRoutesDeps, { approvalId, ...session }: ApprovalRef): Promise<ApprovalRecord> {
  const record = await approvals.get(session, approvalId);
  if (!record) throw new DomainError('approval/not-found', 'There is no such approval in this session.');
  return record;
}

/** Edited arguments must fit the tool, and the policy that asked. */
async function checkEdit({ configs, agents, conversations, toolbox }: ApprovalRoutesDeps, { tenantId, sessionId, tool, policyVersion }: ApprovalRecord, body: DecisionBody): Promise<void> {
  if (body.decision !== 'edit') return;
  const { arguments: edited } = body;
  const { agent: pin } = await conversations.record({ tenantId, sessionId });
  const agent = pin ? (await agents.version(tenantId, pin)).settings : await configs.version(tenantId, policyVersion);
  const tools = await toolbox.of(tenantId, agent);
  const problem = tools.find(tool)?.problemWith(edited);
  if (problem !== undefined) throw new DomainError('tool/invalid-input', problem);
  const { decision } = rulingAmong(tools, agent.approvals, { tool, input: edited });
  if (decision === 'deny') throw new DomainError('tool/denied', `The policy does not allow ${tool} with these arguments.`);
}

async function shown({ log, approvals }: ApprovalRoutesDeps, record: ApprovalRecord): Promise<Approval> {
  const [event] = await log.read(record, { after: record.argumentsAt - 1, upTo: record.argumentsAt });
  const args = event?.type === 'tool.requested' ? event.input : event?.type === 'approval.requested' ? event.arguments : undefined;
  const next = record.state === 'edited' ? (await approvals.ofSession(record)).find(({ replaces }) => replaces === record.approvalId) : undefined;
  return { ...record, arguments: args ?? null, ...(next && { replacedBy: next.approvalId }) };
}
