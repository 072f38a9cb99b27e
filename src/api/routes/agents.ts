import { z } from 'zod';
import { Agent, AgentVersion, AgentVersionWithSettings, maxVersions } from '../../contracts/agent';
import { AgentName, AliasName } from '../../contracts/agent-reference';
import { DomainError } from '../../contracts/errors';
import { idFor } from '../../contracts/ids';
import { type AgentConfig, AgentSettings, type ServedTenant } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { writtenText } from '../../contracts/written-text';
import { mustAgree, withAlias, withoutAlias } from '../../domain/agents';
import { mustAllow } from '../../domain/tiers';
import { tenantsOwnAgent } from '../../domain/usage';
import type { Agents, PublicationRequest } from '../../ports/agents';
import { type AgentChanges, createAgentChanges } from '../agent-changes';
import { withoutSecret, withSecretOf } from '../agent-secrets';
import { checkAgent } from '../agent-check';
import { checkCalledAgents } from '../called-agents';
import { etagOf, seenRevision } from '../revisions';
import { type Route, type RouteInput, tenantRoute } from '../route';
import { pageOf, pageOfList } from './paging';
import { TenantPath } from './paths';

const AgentPath = TenantPath.extend({ agentName: AgentName });
const VersionNumber = z.coerce.number().int().min(1).max(maxVersions);
const VersionPath = AgentPath.extend({ version: VersionNumber });
const AliasPath = AgentPath.extend({ alias: AliasName });

const NewAgentName = AgentName.refine((name) => name !== tenantsOwnAgent, `an agent is not called ${tenantsOwnAgent}: that is the tenant's own`);
const Description = writtenText({ max: 500 }).optional();
const Note = writtenText({ max: 500 }).optional();

export interface AgentsRoutesDeps {
  readonly agents: Agents;
  readonly toolNames: readonly string[];
  readonly tiers: Tiers;
}

interface ChangeDeps extends AgentsRoutesDeps {
  readonly inTurn: AgentChanges;
}

export function agentsRoutes(deps: AgentsRoutesDeps): Route[] {
  const changing = { ...deps, inTurn: createAgentChanges() };
  return [...agentRoutes(changing), ...versionRoutes(changing), ...aliasRoutes(changing)];
}

const agentRoutes = (deps: ChangeDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/agents',
    idempotent: true,
    summary: 'Make an agent, with its first version',
    permission: 'write:config',
    params: TenantPath,
    body: z.strictObject({ name: NewAgentName, description: Description, note: Note, settings: AgentSettings }),
    response: Agent,
    status: 201,
    tellsRevision: true,
    async handle({ params: { tenantId }, body: { name, description, note, settings }, ...input }) {
      const publication = { ...requestOf({ tenantId, name }, input), note, by: input.caller.userId, settings: await checked(deps, input.tenant, { name, before: settings, settings }) };
      const agent = await deps.agents.create(tenantId, { name, description }, publication);
      return { headers: { location: `/api/v1/tenants/${tenantId}/agents/${name}`, ...etagOf(agent) }, body: agent };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/agents',
    summary: 'List the agents that have a name, archived ones too',
    permission: 'read:config',
    params: TenantPath,
    response: z.object({ data: z.array(Agent) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: await deps.agents.list(tenantId) } }),
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}',
    summary: 'Show an agent: its aliases and its latest version; the ETag is for If-Match',
    permission: 'read:config',
    params: AgentPath,
    response: Agent,
    status: 200,
    tellsRevision: true,
    handle: async ({ params }) => replyWith(await mustFind(deps, params)),
  }),
  tenantRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}',
    summary: 'Archive an agent: no new session can have it, those that have it go on',
    permission: 'write:config',
    params: AgentPath,
    response: Agent,
    status: 200,
    tellsRevision: true,
    heedsRevision: true,
    handle: ({ params, header }) =>
      changing(deps, params, header('if-match'), (agent) => (agent.archivedAt === undefined ? { ...agent, archivedAt: new Date().toISOString() } : agent)),
  }),
];

const versionRoutes = (deps: ChangeDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}/versions',
    idempotent: true,
    summary: 'Publish the next version; `alias` moves to it, no other does',
    permission: 'write:config',
    params: AgentPath,
    body: z.strictObject({ settings: AgentSettings, note: Note, alias: AliasName.optional() }),
    response: AgentVersion,
    status: 201,
    heedsRevision: true,
    async handle({ params: { tenantId, agentName: name }, body: { settings, note, alias }, ...input }) {
      const reply = (version: AgentVersion) => ({ headers: { location: `/api/v1/tenants/${tenantId}/agents/${name}/versions/${version.version}` }, body: version });
      const request = requestOf({ tenantId, name }, input);
      // Before it is asked what the agent is now: this very request may have made it that.
      const earlier = await deps.agents.published(tenantId, name, request);
      if (earlier) return reply(earlier);
      const ifMatch = input.header('if-match');
      const publish = async () => {
        const agent = await mustFind(deps, { tenantId, agentName: name }, ifMatch);
        if (agent.archivedAt !== undefined) throw new DomainError('agent/archived', `The agent ${name} was archived: make another one.`);
        const before = await deps.agents.version(tenantId, { name, version: agent.latestVersion });
        const publication = { ...request, note, by: input.caller.userId, settings: await checked(deps, input.tenant, { name, before: before.settings, settings }) };
        const next = { ...agent, latestVersion: agent.latestVersion + 1 };
        return deps.agents.publish(tenantId, alias === undefined ? next : withAlias(next, alias, next.latestVersion), publication);
      };
      return reply(await deps.inTurn({ tenantId, agentName: name }, ifMatch, publish));
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}/versions',
    summary: "List an agent's versions, newest first",
    permission: 'read:config',
    params: AgentPath,
    query: pageOfList('agentVersions'),
    response: pageOf(AgentVersion),
    status: 200,
    async handle({ params, query }) {
      await mustFind(deps, params);
      const { versions: data, ...rest } = await deps.agents.versions(params.tenantId, params.agentName, query);
      return { body: { data, ...rest } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}/versions/{version}',
    summary: 'Show a version with its settings',
    permission: 'read:config',
    params: VersionPath,
    response: AgentVersionWithSettings,
    status: 200,
    async handle({ params: { tenantId, agentName: name, version: number } }) {
      const version = await deps.agents.version(tenantId, { name, version: number });
      return { body: { ...version, settings: withoutSecret(version.settings) } };
    },
  }),
];

const aliasRoutes = (deps: ChangeDeps): Route[] => [
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}/aliases/{alias}',
    summary: 'Have an alias stand for a version, from the next session on',
    permission: 'write:config',
    params: AliasPath,
    body: z.strictObject({ version: z.number().int().min(1).max(maxVersions) }),
    response: Agent,
    status: 200,
    tellsRevision: true,
    heedsRevision: true,
    handle: ({ params: { alias, ...ref }, body: { version }, header }) =>
      changing(deps, ref, header('if-match'), (agent) => (agent.aliases[alias] === version ? agent : withAlias(agent, alias, version))),
  }),
  tenantRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/agents/{agentName}/aliases/{alias}',
    summary: 'Take an alias away; the default one stays',
    permission: 'write:config',
    params: AliasPath,
    response: Agent,
    status: 200,
    tellsRevision: true,
    heedsRevision: true,
    handle: ({ params: { alias, ...ref }, header }) => changing(deps, ref, header('if-match'), (agent) => withoutAlias(agent, alias)),
  }),
];

const replyWith = (agent: Agent) => ({ headers: etagOf(agent), body: agent });

/** @param change - of an agent as it is; the same one when there is nothing to change. @throws as {@link AgentChanges}, {@link mustFind} */
const changing = (deps: ChangeDeps, ref: { tenantId: string; agentName: string }, ifMatch: string | undefined, change: (agent: Agent) => Agent) =>
  deps.inTurn(ref, ifMatch, async () => {
    const agent = await mustFind(deps, ref, ifMatch);
    const next = change(agent);
    return replyWith(next === agent ? agent : await deps.agents.replace(ref.tenantId, next));
  });

/** @param ifMatch - names what the caller has seen. @throws DomainError `agent/not-found`, `agent/changed`; InvalidRequest */
async function mustFind({ agents }: AgentsRoutesDeps, { tenantId, agentName: name }: { tenantId: string; agentName: string }, ifMatch?: string): Promise<Agent> {
  const agent = await agents.get(tenantId, name);
  if (!agent) throw new DomainError('agent/not-found', 'There is no such agent.');
  const seen = seenRevision(ifMatch);
  if (seen !== undefined && seen !== agent.revision) throw new DomainError('agent/changed', `The agent ${name} is at revision ${agent.revision}, not ${seen}. Read it again, and repeat what still fits.`);
  return agent;
}

/** @throws DomainError `config/invalid`, `tier/not-allowed`, `agent/invalid` */
async function checked({ agents, toolNames, tiers }: AgentsRoutesDeps, { tenantId, tier }: ServedTenant, { name, before, settings }: { name: string; before: AgentConfig; settings: AgentConfig }): Promise<AgentConfig> {
  checkAgent(settings, toolNames);
  await checkCalledAgents(agents, tenantId, settings, name);
  mustAllow(tiers, tier, settings);
  mustAgree(settings);
  return withSecretOf(settings, () => Promise.resolve(before));
}

const requestOf = ({ tenantId, name }: { tenantId: string; name: string }, { caller, idempotencyKey, requestDigest }: Pick<RouteInput<unknown, unknown, unknown>, 'caller' | 'idempotencyKey' | 'requestDigest'>): PublicationRequest => ({
  requestId: idFor('publication', idempotencyKey, tenantId, name, caller.userId),
  requestDigest,
});
