import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { maxDocumentCharacters, maxToolSources, SourceProblem, type ToolSource, ToolSourceName, ToolSourceSettings } from '../../contracts/tool-source';
import { omit } from '../../domain/omit';
import { originsOf } from '../../domain/source-tools';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { CredentialOwner, SourceAccess, SourceCredentials, ToolLister, ToolSecrets, ToolSources } from '../../ports/tool-sources';
import { type Route, sharedRoute, tenantRoute } from '../route';
import { TenantPath } from './paths';

const SourcePath = TenantPath.extend({ source: ToolSourceName });

/** What an MCP server, or a server of an API, is shown. SSM takes so much. */
const Secret = z.string().min(1).max(4_000).regex(/^[\x20-\x7e]*$/, 'plain ASCII without line breaks');

const SourceBody = z.strictObject({
  settings: ToolSourceSettings,
  /** Of kind `openapi`: the document itself, JSON or YAML as text, or as an object. */
  document: z.union([z.string().max(maxDocumentCharacters), z.record(z.string(), z.json())]).optional(),
  /** Never shown. Left out, it stays what it was, for the servers it was set for. */
  secret: Secret.optional(),
});

const ShownSource = z.object({
  name: z.string(),
  settings: ToolSourceSettings,
  hasSecret: z.boolean(),
  tools: z.array(z.object({ name: z.string(), description: z.string(), effect: z.enum(['read', 'idempotent', 'write']), inputSchema: z.json() })),
  leftOut: z.array(z.object({ name: z.string(), reason: z.string() })),
  /** What the agent's `allowedOrigins` must have for its tools to be used: its servers, and who issues tokens for them. */
  origins: z.array(z.string()),
  /** Why no token was to be had for it, or taken. */
  problem: SourceProblem.optional(),
  createdAt: z.iso.datetime(),
  listedAt: z.iso.datetime(),
});

export interface ToolSourceRoutesDeps {
  readonly toolSources: ToolSources;
  readonly toolSecrets: ToolSecrets;
  readonly toolLister: ToolLister;
  readonly sourceCredentials: SourceCredentials;
  readonly configs: AgentConfigs;
}

export const toolSourceRoutes = (deps: ToolSourceRoutesDeps): Route[] => [...readingRoutes(deps), ...settingRoutes(deps), ...keepingRoutes(deps)];

const readingRoutes = (deps: ToolSourceRoutesDeps): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/tool-sources',
    summary: 'List where the agents of a tenant get tools from, with these tools',
    permission: 'read:config',
    params: TenantPath,
    response: z.object({ data: z.array(ShownSource) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: (await deps.toolSources.list(tenantId)).map(shown) } }),
  }),
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}',
    summary: 'Show a source of tools',
    permission: 'read:config',
    params: SourcePath,
    response: ShownSource,
    status: 200,
    handle: async ({ params }) => ({ body: shown(await mustFind(deps, params)) }),
  }),
];

/** What a source is, and what it is shown. */
const settingRoutes = (deps: ToolSourceRoutesDeps): Route[] => [
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}',
    summary: 'Make tools of an OpenAPI document or of an MCP server, or replace them',
    permission: 'write:config',
    params: SourcePath,
    body: SourceBody,
    response: ShownSource,
    status: 200,
    async handle({ params: { tenantId, source: name }, body: { settings, document, secret }, signal }) {
      const earlier = await deps.toolSources.get(tenantId, name);
      if (!earlier) await mustHaveRoom(deps, tenantId);
      const kept = { name, settings, secretOrigins: earlier?.secretOrigins ?? [], ...(earlier?.tokenOrigins && { tokenOrigins: earlier.tokenOrigins }) };
      const access = { name, settings, ...(await shownTo(deps, tenantId, kept, secret)) };
      const listing = await deps.toolLister.list(access, typeof document === 'object' ? JSON.stringify(document) : document, signal);
      const now = new Date().toISOString();
      const listed: ToolSource = { ...kept, listing, createdAt: earlier?.createdAt ?? now, listedAt: now };
      const source = secret === undefined ? listed : await withSecret(deps, tenantId, listed, secret);
      await deps.toolSources.put(tenantId, source, earlier);
      return { body: shown(source) };
    },
  }),
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}/secret',
    summary: 'Set what the servers of a source are shown: it is never shown to anybody else',
    permission: 'write:config',
    params: SourcePath,
    body: z.strictObject({ secret: Secret }),
    response: ShownSource,
    status: 200,
    handle: ({ params, body: { secret } }) => changed(deps, params, (found) => withSecret(deps, params.tenantId, found, secret)),
  }),
];

const keepingRoutes = (deps: ToolSourceRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}/refresh',
    summary: 'Ask a source anew which tools it has',
    permission: 'write:config',
    params: SourcePath,
    body: z.strictObject({}),
    response: ShownSource,
    status: 200,
    handle: ({ params, signal }) =>
      changed(deps, params, async (found) => {
        const { name, settings } = found;
        const listing = await deps.toolLister.list({ name, settings, ...(await shownTo(deps, params.tenantId, found)) }, undefined, signal);
        return { ...found, listing, listedAt: new Date().toISOString() };
      }),
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}/check',
    summary: 'Try whether a source takes what it is shown; what is wrong stands in its `problem`',
    permission: 'write:config',
    params: SourcePath,
    body: z.strictObject({}),
    response: ShownSource,
    status: 200,
    handle: ({ params, signal }) =>
      changed(deps, params, async (found) => {
        const problem = await problemWith(deps, params.tenantId, found, signal);
        return { ...found, ...(problem && { problem }) };
      }),
  }),
  tenantRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/tool-sources/{source}',
    summary: 'Delete a source with its secret: its tools are gone at once',
    permission: 'write:config',
    params: SourcePath,
    response: z.object({}),
    status: 204,
    async handle({ params: { tenantId, source } }) {
      await deps.toolSecrets.delete(tenantId, source);
      if (!(await deps.toolSources.delete(tenantId, source))) throw notFound();
      return { status: 204 };
    },
  }),
];

const shown = ({ name, settings, listing, secretOrigins, problem, createdAt, listedAt }: ToolSource): z.input<typeof ShownSource> => ({
  name,
  settings,
  hasSecret: secretOrigins.length > 0,
  tools: listing.tools.map(({ name: tool, description, effect, inputSchema }) => ({ name: tool, description, effect, inputSchema })),
  leftOut: listing.leftOut,
  origins: [...new Set([...originsOf(listing, settings.kind === 'mcp' ? settings.url : undefined), ...(settings.oauth ? secretOrigins : [])])],
  ...(problem && { problem }),
  createdAt,
  listedAt,
});

const notFound = (): DomainError => new DomainError('tool-source/not-found', 'There is no such source of tools.');

async function mustFind({ toolSources }: ToolSourceRoutesDeps, { tenantId, source }: { tenantId: string; source: string }): Promise<ToolSource> {
  const found = await toolSources.get(tenantId, source);
  if (!found) throw notFound();
  return found;
}

/** Makes another of a source, of which nothing is known to be wrong for now. @throws DomainError `tool-source/changed` when somebody else has made one meanwhile. */
async function changed(deps: ToolSourceRoutesDeps, params: { tenantId: string; source: string }, change: (found: ToolSource) => Promise<ToolSource>): Promise<{ body: z.input<typeof ShownSource> }> {
  const found = omit(await mustFind(deps, params), 'problem');
  const source = await change(found);
  await deps.toolSources.put(params.tenantId, source, found);
  return { body: shown(source) };
}

async function mustHaveRoom({ toolSources }: ToolSourceRoutesDeps, tenantId: string): Promise<void> {
  if ((await toolSources.list(tenantId)).length >= maxToolSources) throw new DomainError('tool-source/too-many', `A tenant has ${maxToolSources} sources of tools at most. Delete one first.`);
}

/** What the address is shown that says which tools there are. @param secret - one that is being set */
async function shownTo({ sourceCredentials, configs }: ToolSourceRoutesDeps, tenantId: string, source: CredentialOwner, secret?: string): Promise<Pick<SourceAccess, 'secret' | 'bearer'>> {
  const { settings } = source;
  if (!settings.oauth) return sourceCredentials.of(tenantId, source, { url: settings.url, issuers: [], secret });
  // Who sets a source has named these; to lead further is up to the tenant's own list.
  const named = [settings.url, settings.kind === 'openapi' ? settings.server : undefined, settings.oauth.tokenEndpoint].filter((url) => url !== undefined);
  return sourceCredentials.of(tenantId, source, { url: settings.url, issuers: [...named.map((url) => new URL(url).origin), ...(await configs.get(tenantId)).allowedOrigins], secret });
}

/** Keeps a secret for the servers that the source has now. That of an OAuth client is tried first. */
async function withSecret(deps: ToolSourceRoutesDeps, tenantId: string, listed: ToolSource, secret: string): Promise<ToolSource> {
  const source = omit(listed, 'tokenOrigins');
  const token = await (await shownTo(deps, tenantId, source, secret)).bearer?.();
  const called = originsOf(source.listing, source.settings.url);
  const kept: ToolSource = token ? { ...source, secretOrigins: [...token.issuers], tokenOrigins: called } : { ...source, secretOrigins: called };
  await deps.toolSecrets.put(tenantId, kept, secret);
  return kept;
}

/** Asks for a new token, if it wants one, and for its tools, if somebody can be asked for them. */
async function problemWith(deps: ToolSourceRoutesDeps, tenantId: string, source: ToolSource, signal: AbortSignal): Promise<SourceProblem | undefined> {
  const { name, settings } = source;
  try {
    const access = await shownTo(deps, tenantId, source);
    await access.bearer?.((await access.bearer()).value);
    if (settings.url !== undefined) await deps.toolLister.list({ name, settings, ...access }, undefined, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { code: error.code, message: error.message, at: new Date().toISOString() };
  }
}
