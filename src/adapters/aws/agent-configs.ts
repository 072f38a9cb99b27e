import { DeleteParameterCommand, GetParameterCommand, paginateDescribeParameters, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { LRUCache } from 'lru-cache';
import { codeOf, DomainError } from '../../contracts/errors';
import { tenantResources } from '../../contracts/names';
import { AgentConfig } from '../../contracts/tenant';
import type { AgentConfigs } from '../../ports/agent-configs';
import { ifThere, isAwsError } from './failures';
import { parametersUnder } from './inventory/data';
import type { TenantAccess } from './tenant-access';

/** What SSM's advanced tier takes. */
const maxParameterBytes = 8_192;
/** Every turn reads it; a change made by another process is seen after this. */
const cacheMs = 2_000;

interface Dependencies {
  readonly access: TenantAccess;
  /** The platform's own client: the tenant's role may be gone when its parameters are deleted. */
  readonly ssm: SSMClient;
}

interface VersionedConfig {
  readonly version: number;
  readonly agent: AgentConfig;
}

/** What the parameter says, if it is there. @throws DomainError `config/unreadable`, without a word of what is in it: that may be a secret. */
export function agentConfigOf(tenantId: string, text: string | undefined): AgentConfig {
  if (text === undefined) throw unreadable(tenantId, 'it is not there');
  const said = jsonOf(text);
  const { data, error } = AgentConfig.safeParse(said);
  if (data) return data;
  throw unreadable(tenantId, said === undefined ? 'it is no JSON' : error.issues.map(({ path, message }) => [path.join('.'), message].filter((part) => part !== '').join(': ')).join('; '), error);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const unreadable = (tenantId: string, what: string, cause?: unknown): DomainError =>
  new DomainError('config/unreadable', `The parameter ${tenantResources(tenantId).agentParameter}, which is the configuration of tenant ${tenantId}, cannot be read: ${what}. Write the configuration again.`, { cause });

/** The tenant's agent as one SecureString under the tenant's key. */
export function createAgentConfigs({ access, ssm }: Dependencies): AgentConfigs {
  async function read(tenantId: string, selector = ''): Promise<VersionedConfig> {
    try {
      const Name = `${tenantResources(tenantId).agentParameter}${selector}`;
      const { Parameter } = (await ifThere(access.clients(tenantId, 'config-read').ssm.send(new GetParameterCommand({ Name, WithDecryption: true })))) ?? {};
      return { version: Parameter?.Version ?? 0, agent: agentConfigOf(tenantId, Parameter?.Value) };
    } catch (error) {
      if (codeOf(error)) throw error;
      // SSM keeps the last hundred.
      if (isAwsError(error, 'ParameterVersionNotFound')) return read(tenantId);
      throw unreadable(tenantId, `AWS says ${error instanceof Error ? error.name : 'nothing'}`, error);
    }
  }

  const cache = new LRUCache<string, VersionedConfig>({ max: 1_000, ttl: cacheMs, fetchMethod: (tenantId) => read(tenantId) });
  // Not kept for longer: a tenant that is built anew counts its versions from 1 again.
  const versions = new LRUCache<string, VersionedConfig, { tenantId: string; version: number }>({
    max: 1_000,
    ttl: cacheMs,
    fetchMethod: (_key, _stale, { context: { tenantId, version } }) => read(tenantId, `:${version}`),
  });

  return {
    heardAfterMs: cacheMs,
    get: async (tenantId) => (await cache.forceFetch(tenantId)).agent,
    current: (tenantId) => cache.forceFetch(tenantId),
    version: async (tenantId, version) => (await versions.forceFetch(`${tenantId}:${version}`, { context: { tenantId, version } })).agent,

    async put(tenantId, config) {
      const Value = JSON.stringify(AgentConfig.parse(config));
      const bytes = Buffer.byteLength(Value);
      if (bytes > maxParameterBytes)
        throw new DomainError('config/invalid', `The configuration takes ${bytes} bytes; ${maxParameterBytes} are allowed. Shorten the system prompt.`);
      const { agentParameter, keyAlias } = tenantResources(tenantId);
      await access
        .clients(tenantId, 'config-write')
        .ssm.send(new PutParameterCommand({ Name: agentParameter, Value, Type: 'SecureString', KeyId: keyAlias, Overwrite: true, Tier: 'Intelligent-Tiering' }));
      cache.delete(tenantId);
    },

    async delete(tenantId) {
      cache.delete(tenantId);
      // Secrets of tool sources, too. The list lags behind: the agent's own is deleted whatever it says.
      const { agentParameter, parameterPrefix } = tenantResources(tenantId);
      const names = new Set<string>([agentParameter]);
      for await (const { Parameters } of paginateDescribeParameters({ client: ssm }, parametersUnder(parameterPrefix))) for (const { Name } of Parameters ?? []) if (Name !== undefined) names.add(Name);
      for (const Name of names) await ifThere(ssm.send(new DeleteParameterCommand({ Name })));
    },
  };
}
