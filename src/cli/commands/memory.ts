import { apiPath } from '../access';
import { command, type GroupSpec, shared } from '../command';
import { type Column, printable, timeOf } from '../terminal/table';
import { access, type AsUser } from './as-user';

interface Fact {
  readonly factId: string;
  readonly text: string;
  readonly createdAt: string;
  readonly source?: { readonly sessionId: string; readonly turnId: string };
}

const pathOf = (tenantId: string, factId: string) => apiPath`/tenants/${tenantId}/memories/${factId}`;

const columns: readonly Column<Fact>[] = [
  { title: 'fact', of: ({ factId }) => factId },
  { title: 'remembered', of: ({ createdAt }) => timeOf(createdAt) },
  { title: 'from', of: ({ source }) => source?.sessionId },
  { title: 'text', of: ({ text }) => printable(text) },
];

const list = command<AsUser & { of?: string }>({
  usage: 'list <tenantId>',
  summary: 'list what agents remember of you',
  options: [{ flags: '--of <userId>', description: 'of this user: for administrators' }, shared.user],
  async run(cli, { user, of: userId }, tenantId: string) {
    const facts = await (await access(cli, tenantId, { user })).all<Fact>(apiPath`/tenants/${tenantId}/memories`, { userId });
    cli.out.list(facts, columns, 'Nothing is remembered.');
  },
});

const correct = command<AsUser>({
  usage: 'correct <tenantId> <factId> <text>',
  summary: 'correct a fact',
  options: [shared.user],
  examples: ['tenure memory correct acme mem-… "Lives in Porto."'],
  async run(cli, { user }, tenantId: string, factId: string, text: string) {
    const fact = await (await access(cli, tenantId, { user })).call<Fact>(pathOf(tenantId, factId), { method: 'PUT', body: { text } });
    cli.out.result(fact, () => `It is remembered as: ${printable(fact.text)}`);
  },
});

const forget = command<AsUser>({
  usage: 'forget <tenantId> <factId>',
  summary: 'have agents forget a fact',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, factId: string) {
    await (await access(cli, tenantId, { user })).call(pathOf(tenantId, factId), { method: 'DELETE' });
    cli.out.result({ forgotten: factId }, () => `${factId} is forgotten.`);
  },
});

export const memoryCommands: GroupSpec = {
  name: 'memory',
  summary: 'see, correct and delete what agents remember of users',
  commands: [list, correct, forget],
};
