import { type ApiKey, apiKeyLife } from '../../contracts/access';
import { apiPath } from '../access';
import { collect, command, type GroupSpec, parseSeconds, shared } from '../command';
import { type Column, timeOf } from '../terminal/table';

const columns: readonly Column<ApiKey>[] = [
  { title: 'key', of: ({ keyId }) => keyId },
  { title: 'state', of: ({ revokedAt, expiresAt }) => (revokedAt !== undefined ? 'revoked' : Date.parse(expiresAt) <= Date.now() ? 'expired' : 'good') },
  { title: 'until', of: ({ expiresAt }) => timeOf(expiresAt) },
  { title: 'made by', of: ({ createdBy }) => createdBy },
  { title: 'permissions', of: ({ permissions }) => permissions.join(' ') },
  { title: 'name', of: ({ name }) => name },
];

const create = command<{ permission: string[]; expires?: number; user: string }>({
  usage: 'create <tenantId> <name>',
  summary: 'make an API key, as an administrator of the tenant; it is shown once',
  options: [
    { flags: '--permission <permission>', description: 'what it may do; may be repeated', parse: collect, required: true },
    { flags: '--expires <time>', description: `when it ends: such as 12h or 7d, at most ${apiKeyLife.longest / 86_400}d; ${apiKeyLife.usual / 86_400}d when absent`, parse: parseSeconds },
    shared.administrator,
  ],
  examples: ['tenure api-key create acme "nightly report" --permission read:usage --expires 7d'],
  async run(cli, { permission, expires, user }, tenantId: string, name: string) {
    const api = await cli.administrator(tenantId, user);
    const body = { name, permissions: permission, ...(expires !== undefined && { expiresInSeconds: expires }) };
    const made = await api.call<ApiKey & { key: string }>(apiPath`/tenants/${tenantId}/api-keys`, { method: 'POST', body });
    cli.out.result(made, () => made.key);
    cli.out.note(`Keep it now: it is shown this once. It ends ${timeOf(made.expiresAt) ?? ''}.`);
  },
});

const list = command({
  usage: 'list <tenantId>',
  summary: "list a tenant's API keys, also those that ended lately",
  async run(cli, _options, tenantId: string) {
    const { data } = await (await cli.operator()).call<{ data: ApiKey[] }>(apiPath`/tenants/${tenantId}/api-keys`);
    cli.out.list(data, columns, 'There are none.');
  },
});

const revoke = command({
  usage: 'revoke <tenantId> <keyId>',
  summary: 'revoke an API key, at once',
  async run(cli, _options, tenantId: string, keyId: string) {
    const key = await (await cli.operator()).call<ApiKey>(apiPath`/tenants/${tenantId}/api-keys/${keyId}`, { method: 'DELETE' });
    cli.out.result(key, () => `${key.name} (${keyId}) is revoked.`);
  },
});

export const apiKeyCommands: GroupSpec = { name: 'api-key', summary: "make, list and revoke a tenant's API keys", commands: [create, list, revoke] };
