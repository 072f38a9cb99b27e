import type { Agent, AgentVersion, AgentVersionWithSettings } from '../../contracts/agent';
import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec, parseCount, shared } from '../command';
import { readJsonFile } from '../terminal/files';
import { type Column, factsOf, minuteOf, timeOf } from '../terminal/table';

interface AsAdministrator {
  readonly user: string;
}

const settings = { flags: '--file <file>', description: 'its settings as JSON, as `tenure tenant config` shows them; - reads standard input', required: true } as const;
const note = { flags: '--note <text>', description: 'what is new, for those who read the list' };

const aliasesOf = ({ aliases }: Agent): string => Object.entries(aliases).map(([alias, version]) => `${alias}=${version}`).join(' ');
const show = (cli: Cli, agent: Agent) => {
  const { name, latestVersion, description, archivedAt, updatedAt } = agent;
  cli.out.result(agent, () => factsOf({ agent: name, 'latest version': latestVersion, aliases: aliasesOf(agent), description, updated: timeOf(updatedAt), archived: timeOf(archivedAt) }, cli.out.paint));
};

const agentColumns: readonly Column<Agent>[] = [
  { title: 'agent', of: ({ name }) => name },
  { title: 'latest', of: ({ latestVersion }) => latestVersion },
  { title: 'aliases', of: aliasesOf },
  { title: 'updated', of: ({ updatedAt }) => minuteOf(updatedAt) },
  { title: 'archived', of: ({ archivedAt }) => minuteOf(archivedAt) },
  { title: 'description', of: ({ description }) => description },
];

const versionColumns: readonly Column<AgentVersion>[] = [
  { title: 'version', of: ({ version }) => version },
  { title: 'published', of: ({ createdAt }) => timeOf(createdAt) },
  { title: 'by', of: ({ createdBy }) => createdBy },
  { title: 'note', of: ({ note }) => note },
];

const create = command<AsAdministrator & { file: string; description?: string; note?: string }>({
  usage: 'create <tenantId> <name>',
  summary: 'make an agent, with its first version',
  options: [settings, { flags: '--description <text>', description: 'what it is for' }, note, shared.administrator],
  examples: ['tenure agent create acme support --file support.json --description "answers customers"'],
  async run(cli, { file, description, note, user }, tenantId: string, name: string) {
    const body = { name, settings: await readJsonFile(file), ...(description !== undefined && { description }), ...(note !== undefined && { note }) };
    show(cli, await (await cli.administrator(tenantId, user)).call<Agent>(apiPath`/tenants/${tenantId}/agents`, { method: 'POST', body }));
  },
});

const publish = command<AsAdministrator & { file: string; alias?: string; note?: string }>({
  usage: 'publish <tenantId> <name>',
  summary: 'publish the next version of an agent; sessions keep theirs',
  options: [settings, { flags: '--alias <alias>', description: 'which alias stands for it from now on, such as default' }, note, shared.administrator],
  examples: ['tenure agent publish acme support --file support.json --alias canary --note "shorter answers"'],
  async run(cli, { file, alias, note, user }, tenantId: string, name: string) {
    const body = { settings: await readJsonFile(file), ...(alias !== undefined && { alias }), ...(note !== undefined && { note }) };
    const version = await (await cli.administrator(tenantId, user)).call<AgentVersion>(apiPath`/tenants/${tenantId}/agents/${name}/versions`, { method: 'POST', body });
    cli.out.result(version, () => `${name}@${version.version} is published${alias === undefined ? '; no alias stands for it yet' : `, and is ${name}@${alias} from now on`}.`);
  },
});

const list = command<AsAdministrator>({
  usage: 'list <tenantId>',
  summary: "list a tenant's agents",
  options: [shared.administrator],
  async run(cli, options, tenantId: string) {
    const { data } = await (await cli.administrator(tenantId, options.user)).call<{ data: Agent[] }>(apiPath`/tenants/${tenantId}/agents`);
    cli.out.list(data, agentColumns, "There are none: sessions have the tenant's own agent.");
  },
});

const versions = command<AsAdministrator & { limit?: number }>({
  usage: 'versions <tenantId> <name>',
  summary: "list an agent's versions, newest first",
  options: [shared.limit, shared.administrator],
  async run(cli, { limit = 50, user }, tenantId: string, name: string) {
    cli.out.list(await (await cli.administrator(tenantId, user)).all<AgentVersion>(apiPath`/tenants/${tenantId}/agents/${name}/versions`, {}, limit), versionColumns, 'There are none.');
  },
});

const showCommand = command<AsAdministrator>({
  usage: 'show <tenantId> <name> [version]',
  summary: 'show an agent, or the settings of one of its versions, as a file for `publish`',
  options: [shared.administrator],
  examples: ['tenure agent show acme support', 'tenure agent show acme support 3 > support.json'],
  async run(cli, { user }, tenantId: string, name: string, text?: string) {
    const version = text === undefined ? undefined : parseCount(text);
    const caller = await cli.administrator(tenantId, user);
    if (version === undefined) {
      show(cli, await caller.call<Agent>(apiPath`/tenants/${tenantId}/agents/${name}`));
      return;
    }
    const shown = await caller.call<AgentVersionWithSettings>(apiPath`/tenants/${tenantId}/agents/${name}/versions/${String(version)}`);
    cli.out.result(shown, () => JSON.stringify(shown.settings, null, 2));
  },
});

const alias = command<AsAdministrator & { remove?: true }>({
  usage: 'alias <tenantId> <name> <alias> [version]',
  summary: 'have an alias stand for a version, from the next session on; or take it away',
  options: [{ flags: '--remove', description: 'take it away; the default one stays' }, shared.administrator],
  examples: ['tenure agent alias acme support default 3'],
  async run(cli, { remove, user }, tenantId: string, name: string, aliasName: string, version?: string) {
    const path = apiPath`/tenants/${tenantId}/agents/${name}/aliases/${aliasName}`;
    const request = remove === true ? ({ method: 'DELETE' } as const) : ({ method: 'PUT', body: { version: parseCount(version ?? '') } } as const);
    show(cli, await (await cli.administrator(tenantId, user)).call<Agent>(path, request));
  },
});

const archive = command<AsAdministrator>({
  usage: 'archive <tenantId> <name>',
  summary: 'archive an agent: no new session can have it, those that have it go on',
  options: [shared.administrator],
  async run(cli, options, tenantId: string, name: string) {
    show(cli, await (await cli.administrator(tenantId, options.user)).call<Agent>(apiPath`/tenants/${tenantId}/agents/${name}`, { method: 'DELETE' }));
  },
});

export const agentCommands: GroupSpec = { name: 'agent', summary: "make a tenant's agents, and publish their versions", commands: [create, publish, list, showCommand, versions, alias, archive] };
