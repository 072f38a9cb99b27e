import type { OwnedResource } from '../../contracts/inventory';
import { type TenantRecord, tenantStatuses } from '../../contracts/tenant';
import { apiPath } from '../access';
import { command, type CommandSpec, type GroupSpec, parseSeconds, parseTime, shared } from '../command';
import { startOperation, type Waiting } from '../progress/run';
import { confirmDestruction, type Confirmation } from '../terminal/confirm';
import { readJsonFile } from '../terminal/files';
import { type Column, minuteOf, shortArn, timeOf } from '../terminal/table';
import { budgetsCommand } from './tenant-budgets';
import { configCommand } from './tenant-config';
import { leavingCommands } from './tenant-leaving';
import { usageCommand } from './tenant-usage';
import { signEverybodyOut } from './tenant-users';

const columns: readonly Column<TenantRecord>[] = [
  { title: 'tenant', of: ({ tenantId }) => tenantId },
  { title: 'status', of: ({ status }) => status },
  { title: 'tier', of: ({ tier }) => tier },
  { title: 'created', of: ({ createdAt }) => minuteOf(createdAt) },
  { title: 'name', of: ({ displayName }) => displayName },
];

interface Create extends Waiting {
  readonly name?: string;
  readonly tier: string;
  readonly admin: string;
  readonly agent?: string;
}

const create = command<Create>({
  usage: 'create <tenantId>',
  summary: 'onboard a tenant and watch it come up',
  options: [
    { flags: '--name <name>', description: 'display name; the id when absent' },
    { flags: '--tier <tier>', description: 'what it may use', default: 'standard' },
    { flags: '--admin <email>', description: 'first administrator, invited by e-mail', default: 'admin@example.com' },
    { flags: '--agent <file>', description: 'the agent, as JSON; what is left out has its usual value' },
    shared.noWait,
  ],
  examples: ['tenure tenant create acme --name "Acme Inc." --tier premium --admin ada@acme.example'],
  async run(cli, { name, tier, admin, agent, wait }, tenantId: string) {
    const body = {
      tenantId,
      displayName: name ?? tenantId,
      tier,
      administrator: { email: admin },
      ...(agent !== undefined && { agent: await readJsonFile(agent) }),
    };
    await startOperation(cli, '/api/v1/tenants', { method: 'POST', body }, { ...(wait !== undefined && { wait }) });
  },
});

const list = command<{ status?: string; limit?: number }>({
  usage: 'list',
  summary: 'list tenants',
  options: [{ flags: '--status <status>', description: 'only these', choices: tenantStatuses }, shared.limit],
  async run(cli, { status, limit }) {
    const all = await (await cli.operator()).all<TenantRecord>('/api/v1/tenants', {}, status === undefined ? limit : undefined);
    const wanted = all.filter((tenant) => status === undefined || tenant.status === status).slice(0, limit);
    cli.out.list(wanted, columns, 'There are none. Onboard one: tenure tenant create <id>');
  },
});

const show = command({
  usage: 'show <tenantId>',
  summary: 'show a tenant',
  async run(cli, _options, tenantId: string) {
    const tenant = await (await cli.operator()).call<TenantRecord>(apiPath`/tenants/${tenantId}`);
    const { displayName, status, tier, rate, operationId, claimedBy, keepUntil, memoryId, runtime, gateway, infrastructure = {}, tombstone, restoredAt, createdAt, updatedAt } = tenant;
    const rates = rate && `${rate.requestsPerMinute} requests a minute, burst ${rate.burst}`;
    const facts = {
      ...{ tenant: tenantId, name: displayName, status, tier, rate: rates },
      ...{ created: timeOf(createdAt), updated: timeOf(updatedAt), restored: timeOf(restoredAt) },
      ...{ 'kept until': timeOf(keepUntil), deleted: timeOf(tombstone?.deletedAt), 'keys gone': timeOf(tombstone?.keysDeletedAt) },
      ...{ operation: operationId, 'worked on by': claimedBy },
    };
    cli.out.result(tenant, () => cli.out.facts({ ...facts, ...infrastructure, memoryId, runtimeId: runtime?.runtimeId, gateway: gateway?.url }));
  },
});

const inventory = command({
  usage: 'inventory <tenantId>',
  summary: 'list everything a tenant owns, in every service',
  async run(cli, _options, tenantId: string) {
    const { data } = await (await cli.operator()).call<{ data: OwnedResource[] }>(apiPath`/tenants/${tenantId}/inventory`);
    cli.out.list(data, inventoryColumns, `${tenantId} owns nothing.`);
  },
});

const inventoryColumns: readonly Column<OwnedResource>[] = [
  { title: 'service', of: ({ service }) => service },
  { title: 'type', of: ({ type }) => type },
  { title: 'state', of: ({ state }) => state },
  { title: 'name', of: ({ name }) => shortArn(name) },
];

/** A change of a tenant that works: one request, one operation. */
const change = (usage: string, summary: string, verb: string, rest: Partial<CommandSpec> & { body?: (options: Record<string, unknown>, value: string) => object } = {}) =>
  command<Waiting & Record<string, unknown>>({
    usage,
    summary,
    ...(rest.examples && { examples: rest.examples }),
    options: [...(rest.options ?? []), shared.noWait],
    run: (cli, options, tenantId: string, value: string) =>
      startOperation(cli, `${apiPath`/tenants/${tenantId}`}/${verb}`, { method: 'POST', body: rest.body?.(options, value) ?? {} }, options),
  });

const changes = [
  change('suspend <tenantId>', 'refuse new work of a tenant until it is resumed', 'suspend', {
    options: [{ flags: '--turns <how>', description: 'what running turns do', choices: ['finish', 'pause'], default: 'finish' }],
    body: ({ turns }) => ({ turns }),
  }),
  change('resume <tenantId>', 'let a suspended tenant work again', 'resume'),
  change('tier <tenantId> <tier>', 'move a tenant to another tier', 'tier', { body: (_options, tier) => ({ tier }) }),
  change('rotate-key <tenantId>', "give a tenant's data a new encryption key", 'rotate-key'),
  change('rotate-client <tenantId>', "replace the app client of a tenant's user pool", 'rotate-client', {
    options: [{ flags: '--overlap <time>', description: 'how long tokens of the old one stay good, and the operation runs; 1h when absent', parse: parseSeconds }],
    body: ({ overlap }) => (overlap === undefined ? {} : { overlapSeconds: overlap }),
  }),
];

interface Restore extends Waiting, Confirmation {
  readonly backup: string;
  readonly from?: string;
  readonly until?: string;
}

const restore = command<Restore>({
  usage: 'restore <tenantId>',
  summary: 'bring a backup back: over the same tenant, or as a new one',
  options: [
    { flags: '--backup <backupId>', description: 'which backup', required: true },
    { flags: '--from <tenantId>', description: 'whose backup; the tenant itself when absent' },
    { flags: '--until <time>', description: 'only what had happened by this time; also such as 2h', parse: parseTime },
    shared.yes,
    shared.confirm,
    shared.noWait,
  ],
  examples: ['tenure tenant restore acme-copy --backup bak-01k… --from acme'],
  async run(cli, { backup: backupId, from, until, wait, ...confirmation }, tenantId: string) {
    if (from === undefined || from === tenantId)
      await confirmDestruction(`This replaces what ${tenantId} has by its backup ${backupId}.`, tenantId, confirmation);
    const body = { backupId, ...(from !== undefined && { sourceTenantId: from }), ...(until !== undefined && { until }) };
    await startOperation(cli, apiPath`/tenants/${tenantId}/restore`, { method: 'POST', body }, { ...(wait !== undefined && { wait }) });
  },
});

export const tenantCommands: GroupSpec = {
  name: 'tenant',
  summary: 'onboard, change and offboard tenants',
  commands: [create, list, show, configCommand, ...changes, ...leavingCommands, restore, signEverybodyOut, inventory, usageCommand, budgetsCommand],
};

