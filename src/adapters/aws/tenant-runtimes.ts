import {
  type BedrockAgentCoreControlClient,
  CreateAgentRuntimeCommand,
  CreateAgentRuntimeEndpointCommand,
  DeleteAgentRuntimeCommand,
  DeleteAgentRuntimeEndpointCommand,
  GetAgentRuntimeCommand,
  GetAgentRuntimeEndpointCommand,
  paginateListAgentRuntimeEndpoints,
  type GetAgentRuntimeResponse,
  paginateListAgentRuntimes,
  UpdateAgentRuntimeCommand,
  UpdateAgentRuntimeEndpointCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { agentCoreNames, tenantResources } from '../../contracts/names';
import type { TenantPart, TenantRuntimes, Waiting } from '../../ports/provisioning';
import { clientTokenOf, letsInAs, tagsOf, tokensOfTenant, untilGone, untilReady } from './agent-core';
import { ifThere } from './failures';
import { allOf } from './inventory/finding';

export interface RuntimeSettings {
  /** Of the container, in ECR. */
  readonly image: string;
  /** The role it runs with. */
  readonly roleArn: string;
  /** What its process reads, beside the tenant's id. */
  readonly environment: Readonly<Record<string, string>>;
}

interface Dependencies {
  readonly agentCoreControl: BedrockAgentCoreControlClient;
  readonly region: string;
  /** Switched off when undefined. */
  readonly settings: RuntimeSettings | undefined;
}

/** AgentCore makes this endpoint by itself, and it goes with its runtime. */
export const ownEndpoint = 'DEFAULT';

/** Ids of the runtimes of that name: names are unique, so there is one or none. */
export const findRuntimes = async (client: BedrockAgentCoreControlClient, name: string) =>
  (await allOf(paginateListAgentRuntimes({ client, pageSize: 100 }, {}), (page) => page.agentRuntimes)).filter(({ agentRuntimeName }) => agentRuntimeName === name);

/** Endpoints that somebody made; none when there is no such runtime. */
export const endpointsOf = async (client: BedrockAgentCoreControlClient, agentRuntimeId: string) =>
  ((await ifThere(allOf(paginateListAgentRuntimeEndpoints({ client, pageSize: 100 }, { agentRuntimeId }), (page) => page.runtimeEndpoints))) ?? []).filter(
    ({ name }) => name !== ownEndpoint,
  );

/** What an update must repeat to leave it as it is. */
const settingsOf = ({ description, agentRuntimeArtifact, roleArn, networkConfiguration, requestHeaderConfiguration, protocolConfiguration, ...more }: GetAgentRuntimeResponse) => {
  const { lifecycleConfiguration, metadataConfiguration, environmentVariables, filesystemConfigurations, capacityProviderConfiguration, platformVersion } = more;
  const required = { description: description === '' ? undefined : description, agentRuntimeArtifact, roleArn, networkConfiguration, requestHeaderConfiguration, protocolConfiguration };
  return { ...required, lifecycleConfiguration, metadataConfiguration, environmentVariables, filesystemConfigurations, capacityProviderConfiguration, platformVersion };
};

export function createTenantRuntimes({ agentCoreControl: client, region, settings }: Dependencies): TenantRuntimes {
  const describe = (agentRuntimeId: string) => ifThere(client.send(new GetAgentRuntimeCommand({ agentRuntimeId })));
  const describeEndpoint = (agentRuntimeId: string, endpointName: string) =>
    ifThere(client.send(new GetAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName })));

  async function begin({ tenantId, operationId, infrastructure }: TenantPart, { image, roleArn, environment }: RuntimeSettings): Promise<string> {
    const { runtime: agentRuntimeName } = tenantResources(tenantId);
    const [existing] = await findRuntimes(client, agentRuntimeName);
    if (existing?.agentRuntimeId) return existing.agentRuntimeId;
    const { agentRuntimeId } = await client.send(
      new CreateAgentRuntimeCommand({
        agentRuntimeName,
        clientToken: clientTokenOf(operationId),
        agentRuntimeArtifact: { containerConfiguration: { containerUri: image } },
        roleArn,
        networkConfiguration: { networkMode: 'PUBLIC' },
        protocolConfiguration: { serverProtocol: 'HTTP' },
        authorizerConfiguration: tokensOfTenant(region, infrastructure),
        // The agent itself asks who calls.
        requestHeaderConfiguration: { requestHeaderAllowlist: ['Authorization'] },
        environmentVariables: { ...environment, TENANT_ID: tenantId },
        tags: tagsOf(tenantId),
      }),
    );
    if (!agentRuntimeId) throw new Error('AgentCore answered without a runtime.');
    return agentRuntimeId;
  }

  async function beginEndpoint(tenantId: string, agentRuntimeId: string, operationId: string): Promise<void> {
    const name = agentCoreNames.endpoint;
    if (await describeEndpoint(agentRuntimeId, name)) return;
    await client.send(new CreateAgentRuntimeEndpointCommand({ agentRuntimeId, name, clientToken: clientTokenOf(operationId), tags: tagsOf(tenantId) }));
  }

  /** An endpoint stays with the version it was given, and each update of a runtime makes another. */
  async function moveEndpoint(runtimeName: string, agentRuntimeId: string, version: string | undefined, waiting: Waiting): Promise<void> {
    const endpointName = agentCoreNames.endpoint;
    const endpoint = await describeEndpoint(agentRuntimeId, endpointName);
    if (!endpoint) return;
    if (version !== (endpoint.targetVersion ?? endpoint.liveVersion))
      await client.send(new UpdateAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName, agentRuntimeVersion: version }));
    await untilReady(waiting, `${runtimeName}/${endpointName}`, () => describeEndpoint(agentRuntimeId, endpointName));
  }

  return {
    async create(part, waiting) {
      if (!settings) return undefined;
      const name = tenantResources(part.tenantId).runtime;
      const runtimeId = await begin(part, settings);
      const { agentRuntimeArn: runtimeArn } = await untilReady(waiting, name, () => describe(runtimeId));
      await beginEndpoint(part.tenantId, runtimeId, part.operationId);
      const endpoint = await untilReady(waiting, `${name}/${agentCoreNames.endpoint}`, () => describeEndpoint(runtimeId, agentCoreNames.endpoint));
      if (!runtimeArn || !endpoint.agentRuntimeEndpointArn) throw new Error(`AgentCore did not say where ${name} is.`);
      return { runtimeId, runtimeArn, endpointArn: endpoint.agentRuntimeEndpointArn };
    },

    async accept({ tenantId, infrastructure }, waiting) {
      const { runtime: name } = tenantResources(tenantId);
      const [existing] = await findRuntimes(client, name);
      const agentRuntimeId = existing?.agentRuntimeId;
      const runtime = agentRuntimeId && (await describe(agentRuntimeId));
      if (!runtime) return false;
      const authorizerConfiguration = tokensOfTenant(region, infrastructure);
      if (!letsInAs(runtime.authorizerConfiguration, authorizerConfiguration))
        await client.send(new UpdateAgentRuntimeCommand({ ...settingsOf(runtime), agentRuntimeId, authorizerConfiguration }));
      const { agentRuntimeVersion } = await untilReady(waiting, name, () => describe(agentRuntimeId));
      await moveEndpoint(name, agentRuntimeId, agentRuntimeVersion, waiting);
      return true;
    },

    async delete(tenantId, waiting) {
      const { runtime: name } = tenantResources(tenantId);
      for (const { agentRuntimeId = '' } of await findRuntimes(client, name)) {
        for (const { name: endpointName = '' } of await endpointsOf(client, agentRuntimeId)) {
          await ifThere(client.send(new DeleteAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName })));
          await untilGone(waiting, `${name}/${endpointName}`, () => describeEndpoint(agentRuntimeId, endpointName));
        }
        await ifThere(client.send(new DeleteAgentRuntimeCommand({ agentRuntimeId })));
        await untilGone(waiting, name, () => describe(agentRuntimeId));
      }
    },
  };
}
