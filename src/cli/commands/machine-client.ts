import { type MachineClient, maxSecretOverlapSeconds } from '../../contracts/access';
import type { Cli } from '../cli';
import { apiPath } from '../access';
import { collect, command, type GroupSpec, parseSeconds, shared } from '../command';
import { type Column, timeOf } from '../terminal/table';

/** As it is shown once. */
type ShownClient = MachineClient & { oauthClientId: string; oauthClientSecret: string; tokenUrl: string; scope: string };

const columns: readonly Column<MachineClient>[] = [
  { title: 'client', of: ({ clientId }) => clientId },
  { title: 'state', of: ({ revokedAt }) => (revokedAt === undefined ? 'good' : 'revoked') },
  { title: 'secret since', of: ({ credentials: [newest] }) => timeOf(newest?.since) },
  { title: 'oauth client', of: ({ credentials: [newest] }) => newest?.oauthClientId },
  { title: 'made by', of: ({ createdBy }) => createdBy },
  { title: 'permissions', of: ({ permissions }) => permissions.join(' ') },
  { title: 'name', of: ({ name }) => name },
];

/** In the words of OAuth, as a program's settings ask for them. */
function show(cli: Cli, client: ShownClient): void {
  const { clientId, oauthClientId, oauthClientSecret, tokenUrl, scope } = client;
  cli.out.result(client, () => [`client_id      ${oauthClientId}`, `client_secret  ${oauthClientSecret}`, `token_url      ${tokenUrl}`, `scope          ${scope}`].join('\n'));
  cli.out.note(`Keep the secret now: it is shown this once. This is machine client ${clientId}.`);
}

const create = command<{ permission: string[]; description?: string; user: string }>({
  usage: 'create <tenantId> <name>',
  summary: 'register a machine client, as an administrator of the tenant; its secret is shown once',
  options: [
    { flags: '--permission <permission>', description: 'what it may do; may be repeated', parse: collect, required: true },
    { flags: '--description <text>', description: 'what it is for' },
    shared.administrator,
  ],
  examples: ['tenure machine-client create acme "order service" --permission invoke:agent --permission read:session'],
  async run(cli, { permission, description, user }, tenantId: string, name: string) {
    const api = await cli.administrator(tenantId, user);
    const body = { name, permissions: permission, ...(description !== undefined && { description }) };
    show(cli, await api.call<ShownClient>(apiPath`/tenants/${tenantId}/machine-clients`, { method: 'POST', body }));
  },
});

const list = command({
  usage: 'list <tenantId>',
  summary: "list a tenant's machine clients, also those that were revoked lately",
  async run(cli, _options, tenantId: string) {
    const { data } = await (await cli.operator()).call<{ data: MachineClient[] }>(apiPath`/tenants/${tenantId}/machine-clients`);
    cli.out.list(data, columns, 'There are none.');
  },
});

const update = command<{ permission?: string[]; name?: string; description?: string; user: string }>({
  usage: 'update <tenantId> <clientId>',
  summary: 'change what a machine client is called and may do, as an administrator of the tenant, at once',
  options: [
    { flags: '--permission <permission>', description: 'what it may do from now on, in place of all it might before; may be repeated', parse: collect },
    { flags: '--name <name>', description: 'another name' },
    { flags: '--description <text>', description: 'what it is for' },
    shared.administrator,
  ],
  examples: ['tenure machine-client update acme 01k… --permission invoke:agent'],
  async run(cli, { permission, name, description, user }, tenantId: string, clientId: string) {
    const body = { ...(permission && { permissions: permission }), ...(name !== undefined && { name }), ...(description !== undefined && { description }) };
    const client = await (await cli.administrator(tenantId, user)).call<MachineClient>(apiPath`/tenants/${tenantId}/machine-clients/${clientId}`, { method: 'PATCH', body });
    cli.out.result(client, () => `${client.name} (${clientId}) may ${client.permissions.join(' ')}.`);
  },
});

const rotate = command<{ overlap?: number; user: string }>({
  usage: 'rotate <tenantId> <clientId>',
  summary: 'give a machine client another secret, as an administrator of the tenant; it is shown once',
  options: [
    { flags: '--overlap <time>', description: `how long the secret before stays good: such as 15m or 1d, at most ${maxSecretOverlapSeconds / 86_400}d; not at all when absent`, parse: parseSeconds },
    shared.administrator,
  ],
  async run(cli, { overlap, user }, tenantId: string, clientId: string) {
    const api = await cli.administrator(tenantId, user);
    const body = overlap === undefined ? {} : { overlapSeconds: overlap };
    show(cli, await api.call<ShownClient>(apiPath`/tenants/${tenantId}/machine-clients/${clientId}/rotate`, { method: 'POST', body }));
  },
});

const revoke = command({
  usage: 'revoke <tenantId> <clientId>',
  summary: 'revoke a machine client, at once',
  async run(cli, _options, tenantId: string, clientId: string) {
    const client = await (await cli.operator()).call<MachineClient>(apiPath`/tenants/${tenantId}/machine-clients/${clientId}`, { method: 'DELETE' });
    cli.out.result(client, () => `${client.name} (${clientId}) is revoked.`);
  },
});

export const machineClientCommands: GroupSpec = { name: 'machine-client', summary: 'register, list, change, rotate and revoke programs that get tokens of a tenant', commands: [create, list, update, rotate, revoke] };
