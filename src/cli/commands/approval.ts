import type { ApprovalRecord } from '../../contracts/approval';
import { apiPath } from '../access';
import { command, type CommandSpec, type GroupSpec, shared } from '../command';
import { type Column, factsOf, printable, timeOf } from '../terminal/table';

type Approval = ApprovalRecord & { readonly arguments: unknown; readonly replacedBy?: string };

const asApprover = { ...shared.administrator, description: 'at the local stack: who decides; created as an administrator when missing' };

const columns: readonly Column<Approval>[] = [
  { title: 'approval', of: ({ approvalId }) => approvalId },
  { title: 'state', of: ({ state, expired }) => (expired ? `${state} (expired)` : state) },
  { title: 'tool', of: ({ tool }) => tool },
  { title: 'arguments', of: ({ arguments: given }) => printable(JSON.stringify(given)) },
  { title: 'asked', of: ({ requestedAt }) => timeOf(requestedAt) },
  { title: 'expires', of: ({ expiresAt }) => timeOf(expiresAt) },
  { title: 'session', of: ({ sessionId }) => sessionId },
];

const list = command<{ user: string; limit?: number; decided?: true }>({
  usage: 'list <tenantId>',
  summary: 'list tool calls that wait for approval, in the sessions of all users of a tenant',
  options: [{ flags: '--decided', description: 'those that were decided instead' }, shared.limit, asApprover],
  examples: ['tenure approval list acme'],
  async run(cli, { user, limit = 50, decided }, tenantId: string) {
    const rows = await (await cli.administrator(tenantId, user)).all<Approval>(apiPath`/tenants/${tenantId}/approvals`, { state: decided === true ? 'decided' : 'waiting' }, limit);
    cli.out.list(rows, columns, decided === true ? 'None was decided.' : 'None waits.');
  },
});

const decide = (verb: 'approve' | 'deny', summary: string): CommandSpec =>
  command<{ user: string; note?: string }>({
    usage: `${verb} <tenantId> <sessionId> <approvalId>`,
    summary,
    options: [{ flags: '--note <text>', description: verb === 'deny' ? 'why; the agent is told' : 'kept with the decision' }, asApprover],
    examples: [`tenure approval ${verb} acme ses-01k0 apr-01k0`],
    async run(cli, { user, note }, tenantId: string, sessionId: string, approvalId: string) {
      const path = apiPath`/tenants/${tenantId}/sessions/${sessionId}/approvals/${approvalId}`;
      const approval = await (await cli.administrator(tenantId, user)).call<Approval>(path, { method: 'POST', body: { decision: verb, ...(note !== undefined && { note }) } });
      const { state, tool, quorum } = approval;
      cli.out.result(approval, () => factsOf({ approval: approvalId, tool, state: state === 'waiting' ? `waiting: ${quorum} people must approve` : state }, cli.out.paint));
    },
  });

export const approvalCommands: GroupSpec = {
  name: 'approval',
  summary: 'decide about tool calls that wait for a person',
  commands: [list, decide('approve', 'let a tool call run'), decide('deny', 'keep a tool call from running')],
};
