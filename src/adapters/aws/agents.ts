import { isDeepStrictEqual } from 'node:util';
import { GetCommand, PutCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { Agent, type AgentPin, AgentVersion, type AgentVersionWithSettings, maxAgents, maxVersions } from '../../contracts/agent';
import { defaultAlias } from '../../contracts/agent-reference';
import { DomainError } from '../../contracts/errors';
import { tableKeys } from '../../contracts/names';
import { AgentConfig } from '../../contracts/tenant';
import { mustBeSameRequest } from '../../domain/same-request';
import type { Agents, Publication, PublicationRequest } from '../../ports/agents';
import type { TenantCipher } from '../../ports/cipher';
import { brokenConditions, unlessRefused } from './failures';
import type { TenantAccess } from './tenant-access';
import { allOfPartition, listedPage, tableNameOf } from './tenant-table';

/** A version never changes, but a tenant whose data are restored may publish the same number anew. */
const cacheMs = 60_000;
const versionKeys = { beginning: 'V#', cursors: 'agentVersions' } as const;

/** Seals what a version says, bound to its place. */
export function createAgentBodies({ cipher }: { cipher: TenantCipher }) {
  const contextOf = ({ name, version }: AgentPin) => ({ purpose: 'agent', agent: name, version: String(version) });
  return {
    seal: (tenantId: string, pin: AgentPin, settings: AgentConfig): Promise<Uint8Array> => cipher.seal(tenantId, contextOf(pin), Buffer.from(JSON.stringify(settings))),

    open: async (tenantId: string, pin: AgentPin, sealed: Uint8Array): Promise<AgentConfig> =>
      AgentConfig.parse(JSON.parse(Buffer.from(await cipher.open(tenantId, contextOf(pin), sealed)).toString('utf8'))),
  };
}

const placeOf = (name: string) => ({ pk: tableKeys.agents(), sk: name });
const requestPlace = (name: string, requestId: string) => ({ pk: tableKeys.agentVersions(name), sk: tableKeys.agentRequest(requestId) });
const versionPlace = ({ name, version }: AgentPin) => ({ pk: tableKeys.agentVersions(name), sk: tableKeys.agentVersion(version) });

interface Dependencies {
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
}

/** Agents in the tenant's table: a record of each, and its versions, written once. */
export const createAgents = (deps: Dependencies): Agents => {
  const reader = createReader(deps);
  return { ...reader, ...createWriter(deps, reader) };
};

type Reader = ReturnType<typeof createReader>;

function createReader({ access, cipher }: Dependencies) {
  const bodies = createAgentBodies({ cipher });
  const table = (tenantId: string) => access.clients(tenantId, 'session-read').table;

  async function read(tenantId: string, Key: { pk: string; sk: string }): Promise<Record<string, unknown> | undefined> {
    return (await table(tenantId).send(new GetCommand({ ...tableNameOf(tenantId), Key, ConsistentRead: true }))).Item;
  }

  async function readVersion(tenantId: string, pin: AgentPin): Promise<AgentVersionWithSettings> {
    const item = await read(tenantId, versionPlace(pin));
    const body: unknown = item?.['body'];
    if (!(body instanceof Uint8Array)) throw new DomainError('agent/not-found', 'There is no such version of this agent.');
    return { ...AgentVersion.parse(item), settings: await bodies.open(tenantId, pin, body) };
  }

  const known = new LRUCache<string, AgentVersionWithSettings, { tenantId: string; pin: AgentPin }>({
    max: 1_000,
    ttl: cacheMs,
    fetchMethod: (_key, _stale, { context: { tenantId, pin } }) => readVersion(tenantId, pin),
  });

  return {
    list: (tenantId: string): Promise<Agent[]> => allOfPartition(table(tenantId), tenantId, tableKeys.agents(), (item) => Agent.parse(item)),

    async get(tenantId: string, name: string): Promise<Agent | undefined> {
      const item = await read(tenantId, placeOf(name));
      return item && Agent.parse(item);
    },

    async published(tenantId: string, name: string, { requestId, requestDigest }: PublicationRequest): Promise<AgentVersion | undefined> {
      const request = await read(tenantId, requestPlace(name, requestId));
      mustBeSameRequest(z.string().optional().parse(request?.['requestDigest']), requestDigest);
      const version = request && (await read(tenantId, versionPlace({ name, version: Number(request['version']) })));
      return version && AgentVersion.parse(version);
    },

    async versions(tenantId: string, name: string, page: Parameters<Agents['versions']>[2]) {
      const { items: versions, ...rest } = await listedPage(table(tenantId), { tenantId, pk: tableKeys.agentVersions(name), ...page, keys: versionKeys }, (item) => AgentVersion.parse(item));
      return { versions, ...rest };
    },

    version: (tenantId: string, pin: AgentPin): Promise<AgentVersionWithSettings> => known.forceFetch(`${tenantId}/${pin.name}@${pin.version}`, { context: { tenantId, pin } }),
  };
}

const isNew = { ConditionExpression: 'attribute_not_exists(pk)' };
const isAt = ({ revision }: Agent) => ({ ConditionExpression: 'revision = :revision', ExpressionAttributeValues: { ':revision': revision } });
const following = (agent: Agent): Agent => ({ ...agent, revision: agent.revision + 1, updatedAt: new Date().toISOString() });
const changed = ({ name }: Agent) => new DomainError('agent/changed', `Somebody else has changed the agent ${name}. Read it again, and repeat what still fits.`);

function createWriter({ access, cipher }: Dependencies, reader: Reader): Pick<Agents, 'create' | 'publish' | 'replace'> {
  const bodies = createAgentBodies({ cipher });
  const table = (tenantId: string) => access.clients(tenantId, 'session-step').table;

  /** Writes the agent and its newest version. @returns undefined when the agent is not what the condition says, or the request was carried out before. */
  async function write(tenantId: string, agent: Agent, { settings, note, by, requestId, requestDigest }: Publication, condition: object): Promise<AgentVersion | undefined> {
    const { name, latestVersion: version, updatedAt: createdAt } = agent;
    const added: AgentVersion = { name, version, createdAt, createdBy: by, ...(note !== undefined && { note }) };
    const { TableName } = tableNameOf(tenantId);
    const body = await bodies.seal(tenantId, added, settings);
    const TransactItems = [
      { Put: { TableName, Item: { ...placeOf(name), ...agent }, ...condition } },
      { Put: { TableName, Item: { ...versionPlace(added), ...added, body }, ...isNew } },
      { Put: { TableName, Item: { ...requestPlace(name, requestId), version, requestDigest }, ...isNew } },
    ];
    const broken = await brokenConditions(table(tenantId).send(new TransactWriteCommand({ TransactItems })));
    return broken.length === 0 ? added : undefined;
  }

  return {
    async create(tenantId, { name, description }, publication) {
      if ((await reader.list(tenantId)).length >= maxAgents) throw new DomainError('agent/too-many', `A tenant has at most ${maxAgents} agents, archived ones too.`);
      const createdAt = new Date().toISOString();
      const agent: Agent = { name, ...(description !== undefined && { description }), latestVersion: 1, aliases: { [defaultAlias]: 1 }, revision: 1, createdAt, updatedAt: createdAt };
      if (await write(tenantId, agent, publication, isNew)) return agent;
      const first = (await reader.published(tenantId, name, publication)) && (await reader.get(tenantId, name));
      if (first) return first;
      throw new DomainError('agent/exists', `There is an agent ${name} already: publish a new version of it, or choose another name.`);
    },

    async publish(tenantId, next, publication) {
      if (next.latestVersion > maxVersions) throw new DomainError('agent/too-many', `An agent has at most ${maxVersions} versions: begin another agent.`);
      const added = (await write(tenantId, following(next), publication, isAt(next))) ?? (await reader.published(tenantId, next.name, publication));
      if (!added) throw changed(next);
      return added;
    },

    async replace(tenantId, next) {
      const agent = following(next);
      const write = table(tenantId).send(new PutCommand({ ...tableNameOf(tenantId), Item: { ...placeOf(agent.name), ...agent }, ...isAt(next) }));
      await unlessRefused<unknown, unknown>(write, async () => {
        // The answer to an earlier attempt of this write may have been lost.
        if (!isDeepStrictEqual(await reader.get(tenantId, agent.name), agent)) throw changed(next);
      });
      return agent;
    },
  };
}
