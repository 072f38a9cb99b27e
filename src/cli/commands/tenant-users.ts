import { tenantRoles } from '../../domain/permissions';
import { apiPath } from '../access';
import { collect, command, type CommandSpec, type GroupSpec } from '../command';
import { type Column, timeOf } from '../terminal/table';
import { eraseUser } from './erasure';

interface User {
  readonly userId: string;
  readonly email: string;
  readonly roles: readonly string[];
  readonly enabled: boolean;
}

interface SignedOut {
  readonly notBefore: string;
}

const columns: readonly Column<User>[] = [
  { title: 'user', of: ({ userId }) => userId },
  { title: 'enabled', of: ({ enabled }) => (enabled ? 'yes' : 'no') },
  { title: 'roles', of: ({ roles }) => roles.join(', ') || '-' },
  { title: 'e-mail', of: ({ email }) => email },
];

const list = command({
  usage: 'list <tenantId>',
  summary: "list a tenant's users and their roles",
  async run(cli, _options, tenantId: string) {
    cli.out.list(await (await cli.operator()).all<User>(apiPath`/tenants/${tenantId}/users`, {}), columns, 'There are none.');
  },
});

const roles = command<{ role?: string[] }>({
  usage: 'roles <tenantId> <userId>',
  summary: 'give a user these roles and no others, from the next request on',
  options: [{ flags: '--role <role>', description: `one of ${tenantRoles.join(', ')}; may be repeated; none when absent`, parse: collect }],
  examples: ['tenure user roles acme 7f3c… --role members --role approvers'],
  async run(cli, { role = [] }, tenantId: string, userId: string) {
    const user = await (await cli.operator()).call<User>(apiPath`/tenants/${tenantId}/users/${userId}/roles`, { method: 'PUT', body: { roles: role } });
    cli.out.result(user, () => `${user.email} has: ${user.roles.join(', ') || 'no role'}.`);
  },
});

/** Something that is done to a user at once. */
const change = (verb: 'sign-out' | 'disable' | 'enable', summary: string, told: (answer: User & SignedOut) => string): CommandSpec =>
  command({
    usage: `${verb} <tenantId> <userId>`,
    summary,
    async run(cli, _options, tenantId: string, userId: string) {
      const answer = await (await cli.operator()).call<User & SignedOut>(`${apiPath`/tenants/${tenantId}/users/${userId}`}/${verb}`, { method: 'POST', body: {} });
      cli.out.result(answer, () => told(answer));
    },
  });

const outSince = ({ notBefore }: SignedOut): string => `Signed out: whoever signed in before ${timeOf(notBefore) ?? ''}. API keys made before are dead.`;

export const userCommands: GroupSpec = {
  name: 'user',
  summary: "see and change who a tenant's users are",
  commands: [
    list,
    roles,
    change('sign-out', 'sign a user out everywhere, at once', outSince),
    change('disable', 'keep a user out until enabled', ({ email }) => `${email} is disabled.`),
    change('enable', 'let a disabled user in again; the user must sign in anew', ({ email }) => `${email} is enabled.`),
    eraseUser,
  ],
};

export const signEverybodyOut = command({
  usage: 'sign-out <tenantId>',
  summary: 'sign all users of a tenant out, and kill its API keys, at once; machine clients are out until they are rotated',
  async run(cli, _options, tenantId: string) {
    const answer = await (await cli.operator()).call<SignedOut>(apiPath`/tenants/${tenantId}/sign-out`, { method: 'POST', body: {} });
    cli.out.result(answer, () => outSince(answer));
  },
});
