import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { TenantId } from '../../contracts/tenant';
import { maxDocumentCharacters, maxToolSources, type ToolSource, ToolSourceName, ToolSourceSettings } from '../../contracts/tool-source';
import { mayShowSecret, originsOf } from '../../domain/source-tools';
import type { ToolLister, ToolSecrets, ToolSources } from '../../ports/tool-sources';
import { type Route, sharedRoute, tenantRoute } from '../route';

const TenantPath = z.object({ tenantId: TenantId });
const SourcePath = TenantPath.extend({ source: ToolSourceName });

/** What an MCP server, or a server of an API, is shown. SSM takes so much. */
const Secret = z.string().min(1).max(4_000).regex(/^[\x20-\x7e]*$/, 'plain ASCII without line breaks');

const SourceBody = z.object({
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
  /** What the agent's `allowedOrigins` must have for its tools to be used. */
  origins: z.array(z.string()),
  createdAt: z.iso.datetime(),
  listedAt: z.iso.datetime(),
});

export interface ToolSourceRoutesDeps {
  readonly toolSources: ToolSources;
  readonly toolSecrets: ToolSecrets;
  readonly toolLister: ToolLister;
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
      const shownSecret = secret ?? (await secretFor(deps, tenantId, { name, settings, secretOrigins: earlier?.secretOrigins ?? [] }));
      const text = typeof document === 'object' ? JSON.stringify(document) : document;
      const listing = await deps.toolLister.list({ name, settings, secret: shownSecret }, text, signal);
      if (secret !== undefined) await deps.toolSecrets.put(tenantId, name, secret);
      const now = new Date().toISOString();
      const secretOrigins = secret === undefined ? (earlier?.secretOrigins ?? []) : originsOf(listing, settings.url);
      const source: ToolSource = { name, settings, listing, secretOrigins, createdAt: earlier?.createdAt ?? now, listedAt: now };
      await deps.toolSources.put(tenantId, source);
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
    async handle({ params, body: { secret } }) {
      const found = await mustFind(deps, params);
      await deps.toolSecrets.put(params.tenantId, found.name, secret);
      const source = { ...found, secretOrigins: originsOf(found.listing, found.settings.url) };
      await deps.toolSources.put(params.tenantId, source);
      return { body: shown(source) };
    },
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
    async handle({ params, signal }) {
      const found = await mustFind(deps, params);
      const listing = await deps.toolLister.list({ ...found, secret: await secretFor(deps, params.tenantId, found) }, undefined, signal);
      const source = { ...found, listing, listedAt: new Date().toISOString() };
      await deps.toolSources.put(params.tenantId, source);
      return { body: shown(source) };
    },
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

const shown = ({ name, settings, listing, secretOrigins, createdAt, listedAt }: ToolSource): z.input<typeof ShownSource> => ({
  name,
  settings,
  hasSecret: secretOrigins.length > 0,
  tools: listing.tools.map(({ name: tool, description, effect, inputSchema }) => ({ name: tool, description, effect, inputSchema })),
  leftOut: listing.leftOut,
  origins: originsOf(listing, settings.kind === 'mcp' ? settings.url : undefined),
  createdAt,
  listedAt,
});

const notFound = (): DomainError => new DomainError('tool-source/not-found', 'There is no such source of tools.');

async function mustFind({ toolSources }: ToolSourceRoutesDeps, { tenantId, source }: { tenantId: string; source: string }): Promise<ToolSource> {
  const found = await toolSources.get(tenantId, source);
  if (!found) throw notFound();
  return found;
}

async function mustHaveRoom({ toolSources }: ToolSourceRoutesDeps, tenantId: string): Promise<void> {
  if ((await toolSources.list(tenantId)).length >= maxToolSources) throw new DomainError('tool-source/too-many', `A tenant has ${maxToolSources} sources of tools at most. Delete one first.`);
}

/** For the address that says which tools there are; undefined when it is none that the secret was set for. */
async function secretFor({ toolSecrets }: ToolSourceRoutesDeps, tenantId: string, { name, settings: { url }, secretOrigins }: Pick<ToolSource, 'name' | 'settings' | 'secretOrigins'>): Promise<string | undefined> {
  return url !== undefined && mayShowSecret({ secretOrigins }, url) ? toolSecrets.get(tenantId, name) : undefined;
}
