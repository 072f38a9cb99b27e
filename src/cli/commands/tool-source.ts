import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { readInput } from '../terminal/files';
import { type Column, timeOf } from '../terminal/table';

interface Source {
  readonly name: string;
  readonly settings: { readonly kind: string; readonly url?: string };
  readonly hasSecret: boolean;
  readonly tools: readonly { readonly name: string; readonly effect: string; readonly description: string }[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly origins: readonly string[];
  readonly problem?: { readonly code: string; readonly message: string; readonly at: string };
  readonly listedAt: string;
}

const columns: readonly Column<Source>[] = [
  { title: 'source', of: ({ name }) => name },
  { title: 'kind', of: ({ settings }) => settings.kind },
  { title: 'tools', of: ({ tools }) => String(tools.length) },
  { title: 'secret', of: ({ hasSecret }) => (hasSecret ? 'set' : '') },
  { title: 'listed', of: ({ listedAt }) => timeOf(listedAt) },
  { title: 'servers', of: ({ origins }) => origins.join(' ') },
  { title: 'problem', of: ({ problem }) => problem?.code ?? '' },
];

const toolColumns: readonly Column<Source['tools'][number]>[] = [
  { title: 'tool', of: ({ name }) => name },
  { title: 'effect', of: ({ effect }) => effect },
  { title: 'what it does', of: ({ description }) => description.split('\n')[0]?.slice(0, 80) },
];

function show(cli: Cli, source: Source): void {
  cli.out.list(source.tools, toolColumns, 'It has no tools.');
  for (const { name, reason } of source.leftOut) cli.out.note(`Left out: ${name}. ${reason}`);
  if (source.problem) cli.out.note(`${source.problem.code} since ${timeOf(source.problem.at)}: ${source.problem.message}`);
  cli.out.note(`To use them, name ${source.name}__* in the agent's tools, and ${source.origins.join(', ')} in its allowedOrigins.`);
}

interface Add {
  readonly user: string;
  readonly openapi?: string;
  readonly mcp?: string;
  readonly server?: string;
  readonly undo?: Readonly<Record<string, unknown>>;
  readonly header?: string;
  readonly secretFile?: string;
  readonly oauthClient?: string;
  readonly oauthScope?: string;
  readonly tokenEndpoint?: string;
}

function credentialOf({ header, secretFile, oauthClient, oauthScope, tokenEndpoint }: Add): object {
  if (oauthClient === undefined) return secretFile === undefined ? {} : { credential: header === undefined ? {} : { name: header, prefix: '' } };
  const scopes = oauthScope?.split(/[ ,]+/).filter((scope) => scope !== '');
  return { oauth: { clientId: oauthClient, ...(scopes && { scopes }), ...(tokenEndpoint !== undefined && { tokenEndpoint }) } };
}

/** `placeOrder={"call":"cancelOrder","with":{"/orderId":"/output/body/id"}}` */
function collectUndo(text: string, before: unknown): Record<string, unknown> {
  const at = text.indexOf('=');
  try {
    return { ...(before as object | undefined), [text.slice(0, at)]: JSON.parse(text.slice(at + 1)) as unknown };
  } catch {
    throw new CliFailure(exitCodes.usage, `"${text}" is not <operation>=<JSON>.`, `--undo 'placeOrder={"call":"cancelOrder","with":{"/orderId":"/output/body/id"}}'`);
  }
}

const add = command<Add>({
  usage: 'add <tenantId> <source>',
  summary: 'make tools of an OpenAPI document or of an MCP server, or replace them',
  options: [
    { flags: '--openapi <file or address>', description: 'an OpenAPI 3 document, JSON or YAML; - reads standard input' },
    { flags: '--mcp <address>', description: 'an MCP server (streamable HTTP)' },
    { flags: '--server <address>', description: 'in place of the server that the document names' },
    { flags: '--undo <operation=json>', description: 'how an operation is taken back: by which other one, and where its input comes from; may be repeated', parse: collectUndo },
    { flags: '--header <name>', description: 'the header that the secret is sent in; authorization, with Bearer, when absent' },
    { flags: '--secret-file <file>', description: 'the secret that the servers are sent, or that of the OAuth client; - reads standard input' },
    { flags: '--oauth-client <id>', description: 'an OAuth client, which gets tokens for itself (client credentials) with the secret' },
    { flags: '--oauth-scope <scopes>', description: 'its scopes, with commas between them' },
    { flags: '--token-endpoint <address>', description: 'where its tokens are issued; found out when absent' },
    shared.administrator,
  ],
  examples: ['tenure tool-source add acme petstore --openapi petstore.json --server https://petstore.example.com/v1', 'tenure tool-source add acme docs --mcp https://mcp.example.com/mcp --secret-file token.txt', 'tenure tool-source add acme docs --mcp https://mcp.example.com/mcp --oauth-client tenure --oauth-scope docs.read --secret-file secret.txt'],
  async run(cli, options, tenantId: string, name: string) {
    const { user, openapi, mcp, server, undo, secretFile } = options;
    if ((openapi === undefined) === (mcp === undefined)) throw new CliFailure(exitCodes.usage, 'Say where the tools come from: one of --openapi and --mcp.');
    const isAddress = openapi !== undefined && /^https?:\/\//.test(openapi);
    const withSecret = credentialOf(options);
    const settings = mcp === undefined ? { kind: 'openapi', ...(isAddress && { url: openapi }), ...(server !== undefined && { server }), ...(undo && { undo }), ...withSecret } : { kind: 'mcp', url: mcp, ...withSecret };
    const body = {
      settings,
      ...(openapi !== undefined && !isAddress && { document: await readInput(openapi) }),
      ...(secretFile !== undefined && { secret: (await readInput(secretFile)).trim() }),
    };
    const source = await (await cli.administrator(tenantId, user)).call<Source>(apiPath`/tenants/${tenantId}/tool-sources/${name}`, { method: 'PUT', body });
    show(cli, source);
  },
});

const list = command({
  usage: 'list <tenantId>',
  summary: "list where a tenant's agents get tools from",
  async run(cli, _options, tenantId: string) {
    const { data } = await (await cli.operator()).call<{ data: Source[] }>(apiPath`/tenants/${tenantId}/tool-sources`);
    cli.out.list(data, columns, 'There are none.');
  },
});

const showOne = command({
  usage: 'show <tenantId> <source>',
  summary: 'show the tools of a source',
  async run(cli, _options, tenantId: string, name: string) {
    show(cli, await (await cli.operator()).call<Source>(apiPath`/tenants/${tenantId}/tool-sources/${name}`));
  },
});

const refresh = command<{ user: string }>({
  usage: 'refresh <tenantId> <source>',
  summary: 'ask a source anew which tools it has',
  options: [shared.administrator],
  async run(cli, { user }, tenantId: string, name: string) {
    show(cli, await (await cli.administrator(tenantId, user)).call<Source>(apiPath`/tenants/${tenantId}/tool-sources/${name}/refresh`, { method: 'POST', body: {} }));
  },
});

const check = command<{ user: string }>({
  usage: 'check <tenantId> <source>',
  summary: 'try whether a source accepts its secret',
  options: [shared.administrator],
  async run(cli, { user }, tenantId: string, name: string) {
    const source = await (await cli.administrator(tenantId, user)).call<Source>(apiPath`/tenants/${tenantId}/tool-sources/${name}/check`, { method: 'POST', body: {} });
    cli.out.result(source, () => (source.problem ? `${source.problem.code}: ${source.problem.message}` : `${name} accepts its secret.`));
  },
});

const secret = command<{ user: string }>({
  usage: 'secret <tenantId> <source> <file>',
  summary: 'set the secret that the servers of a source are sent; - reads standard input',
  options: [shared.administrator],
  async run(cli, { user }, tenantId: string, name: string, file: string) {
    const body = { secret: (await readInput(file)).trim() };
    const source = await (await cli.administrator(tenantId, user)).call<Source>(apiPath`/tenants/${tenantId}/tool-sources/${name}/secret`, { method: 'PUT', body });
    cli.out.result(source, () => `${name} shows it to ${source.origins.join(', ')}.`);
  },
});

const remove = command<{ user: string }>({
  usage: 'delete <tenantId> <source>',
  summary: 'delete a source with its secret',
  options: [shared.administrator],
  async run(cli, { user }, tenantId: string, name: string) {
    await (await cli.administrator(tenantId, user)).call(apiPath`/tenants/${tenantId}/tool-sources/${name}`, { method: 'DELETE' });
    cli.out.result({ deleted: name }, () => `${name} is deleted.`);
  },
});

export const toolSourceCommands: GroupSpec = { name: 'tool-source', summary: "give a tenant's agents tools: OpenAPI documents, MCP servers", commands: [add, list, showOne, refresh, check, secret, remove] };
