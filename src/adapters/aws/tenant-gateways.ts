import {
  type BedrockAgentCoreControlClient,
  CreateGatewayCommand,
  CreateGatewayRateLimitCommand,
  CreateGatewayTargetCommand,
  DeleteGatewayCommand,
  DeleteGatewayRateLimitCommand,
  DeleteGatewayTargetCommand,
  GetGatewayCommand,
  GetGatewayRateLimitCommand,
  GetGatewayTargetCommand,
  type GetGatewayResponse,
  paginateListGatewayRateLimits,
  paginateListGateways,
  paginateListGatewayTargets,
  UpdateGatewayCommand,
  UpdateGatewayRateLimitCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { agentCoreNames, tenantResources } from '../../contracts/names';
import type { TenantGateways, TenantPart, Waiting } from '../../ports/provisioning';
import { clientTokenOf, letsInAs, tagsOf, tokensOfTenant, untilGone, untilReady } from './agent-core';
import { ifThere } from './failures';
import { allOf } from './inventory/finding';

export interface GatewaySettings {
  /** The role the gateways act with. */
  readonly roleArn: string;
  /** Where AWS reaches the API: `https://…`, without a slash at the end. */
  readonly apiUrl: string;
}

interface Dependencies {
  readonly agentCoreControl: BedrockAgentCoreControlClient;
  readonly region: string;
  /** Switched off when undefined. */
  readonly settings: GatewaySettings | undefined;
}

type Limited = Parameters<TenantGateways['setRate']>[0];

/** Gateways of that name: names are unique, so there is one or none. */
export const findGateways = async (client: BedrockAgentCoreControlClient, name: string) =>
  (await allOf(paginateListGateways({ client, pageSize: 100 }, {}), ({ items }) => items)).filter((gateway) => gateway.name === name);

export const targetsOf = async (client: BedrockAgentCoreControlClient, gatewayIdentifier: string) =>
  (await ifThere(allOf(paginateListGatewayTargets({ client, pageSize: 100 }, { gatewayIdentifier }), ({ items }) => items))) ?? [];

export const rateLimitsOf = async (client: BedrockAgentCoreControlClient, gatewayIdentifier: string) =>
  (await ifThere(allOf(paginateListGatewayRateLimits({ client, pageSize: 100 }, { gatewayIdentifier }), ({ rateLimits }) => rateLimits))) ?? [];

const describing = (client: BedrockAgentCoreControlClient) => ({
  describe: (gatewayIdentifier: string) => ifThere(client.send(new GetGatewayCommand({ gatewayIdentifier }))),
  describeTarget: (gatewayIdentifier: string, targetId: string) => ifThere(client.send(new GetGatewayTargetCommand({ gatewayIdentifier, targetId }))),
  describeLimit: (gatewayIdentifier: string, rateLimitId: string) => ifThere(client.send(new GetGatewayRateLimitCommand({ gatewayIdentifier, rateLimitId }))),
});

/** What an update must repeat to leave it as it is. */
const settingsOf = ({ name, description, roleArn, protocolType, protocolConfiguration, authorizerType, authorizerConfiguration, ...more }: GetGatewayResponse) => {
  const { kmsKeyArn, customTransformConfiguration, interceptorConfigurations, policyEngineConfiguration, exceptionLevel, wafConfiguration } = more;
  const required = { name, description: description === '' ? undefined : description, roleArn, protocolType, protocolConfiguration, authorizerType, authorizerConfiguration };
  return { ...required, kmsKeyArn, customTransformConfiguration, interceptorConfigurations, policyEngineConfiguration, exceptionLevel, wafConfiguration };
};

/** A gateway cannot go before what is on it. */
async function remove(client: BedrockAgentCoreControlClient, gatewayIdentifier: string, name: string, waiting: Waiting): Promise<void> {
  const { describe, describeTarget, describeLimit } = describing(client);
  for (const { rateLimitId = '' } of await rateLimitsOf(client, gatewayIdentifier)) {
    await ifThere(client.send(new DeleteGatewayRateLimitCommand({ gatewayIdentifier, rateLimitId })));
    await untilGone(waiting, `${name}/${rateLimitId}`, () => describeLimit(gatewayIdentifier, rateLimitId));
  }
  for (const { targetId = '' } of await targetsOf(client, gatewayIdentifier)) {
    await ifThere(client.send(new DeleteGatewayTargetCommand({ gatewayIdentifier, targetId })));
    await untilGone(waiting, `${name}/${targetId}`, () => describeTarget(gatewayIdentifier, targetId));
  }
  await ifThere(client.send(new DeleteGatewayCommand({ gatewayIdentifier })));
  await untilGone(waiting, name, () => describe(gatewayIdentifier));
}

/**
 * The gateway checks that a token is one of the tenant's and passes the request on with it, so that the API decides what
 * its user may do, as for everybody else. AgentCore counts requests a minute and knows no bursts: those the API limits.
 */
export function createTenantGateways({ agentCoreControl: client, region, settings }: Dependencies): TenantGateways {
  const { target: targetName, rateLimit: rateLimitId } = agentCoreNames;
  const { describe, describeTarget, describeLimit } = describing(client);

  async function begin({ tenantId, operationId, infrastructure }: TenantPart, { roleArn }: GatewaySettings): Promise<string> {
    const { gateway: name } = tenantResources(tenantId);
    const [existing] = await findGateways(client, name);
    if (existing?.gatewayId) return existing.gatewayId;
    const { gatewayId } = await client.send(
      new CreateGatewayCommand({
        name,
        clientToken: clientTokenOf(operationId),
        roleArn,
        // Without a protocol it takes targets that speak HTTP. It keeps the token it has checked.
        authorizerType: 'AUTHENTICATE_ONLY',
        authorizerConfiguration: tokensOfTenant(region, infrastructure),
        kmsKeyArn: infrastructure.keyArn,
        tags: tagsOf(tenantId),
      }),
    );
    if (!gatewayId) throw new Error('AgentCore answered without a gateway.');
    return gatewayId;
  }

  async function beginTarget({ tenantId, operationId }: TenantPart, { apiUrl }: GatewaySettings, gatewayIdentifier: string): Promise<string> {
    const existing = (await targetsOf(client, gatewayIdentifier)).find(({ name }) => name === targetName);
    if (existing?.targetId) return existing.targetId;
    const { targetId } = await client.send(
      new CreateGatewayTargetCommand({
        gatewayIdentifier,
        name: targetName,
        clientToken: clientTokenOf(operationId),
        targetConfiguration: { http: { passthrough: { endpoint: `${apiUrl}/api/v1/tenant/${tenantId}`, protocolType: 'CUSTOM' } } },
        credentialProviderConfigurations: [{ credentialProviderType: 'JWT_PASSTHROUGH' }],
        metadataConfiguration: { allowedRequestHeaders: ['Idempotency-Key'], allowedResponseHeaders: ['X-Session-Id', 'X-Turn-Id', 'RateLimit-Remaining', 'Retry-After'] },
      }),
    );
    if (!targetId) throw new Error('AgentCore answered without a target.');
    return targetId;
  }

  async function limit(gatewayIdentifier: string, { tenantId, operationId, rate: { requestsPerMinute } }: Limited, waiting: Waiting): Promise<void> {
    const limits = { gatewayIdentifier, rateLimitId, entries: [{ dimensions: { targetName }, requests: [{ rate: requestsPerMinute, period: 'minute' as const }] }] };
    const existing = await describeLimit(gatewayIdentifier, rateLimitId);
    if (!existing) await client.send(new CreateGatewayRateLimitCommand({ ...limits, dimensionKeys: ['targetName'], clientToken: clientTokenOf(operationId) }));
    else if (existing.entries?.[0]?.requests?.[0]?.rate !== requestsPerMinute) {
      await client.send(new UpdateGatewayRateLimitCommand(limits));
    }
    await untilReady(waiting, `${tenantResources(tenantId).gateway}/${rateLimitId}`, () => describeLimit(gatewayIdentifier, rateLimitId));
  }

  return {
    async create(part, waiting) {
      if (!settings) return undefined;
      const { gateway: name } = tenantResources(part.tenantId);
      const gatewayId = await begin(part, settings);
      const { gatewayUrl: url = '' } = await untilReady(waiting, name, () => describe(gatewayId));
      const targetId = await beginTarget(part, settings, gatewayId);
      await untilReady(waiting, `${name}/${targetName}`, () => describeTarget(gatewayId, targetId));
      await limit(gatewayId, part, waiting);
      return { gatewayId, url, targetId, rateLimitId };
    },

    async setRate(limited, waiting) {
      const [existing] = await findGateways(client, tenantResources(limited.tenantId).gateway);
      if (existing?.gatewayId) await limit(existing.gatewayId, limited, waiting);
      return existing?.gatewayId !== undefined;
    },

    async accept({ tenantId, infrastructure }, waiting) {
      const { gateway: name } = tenantResources(tenantId);
      const [existing] = await findGateways(client, name);
      const gatewayIdentifier = existing?.gatewayId;
      const gateway = gatewayIdentifier && (await describe(gatewayIdentifier));
      if (!gateway) return false;
      const authorizerConfiguration = tokensOfTenant(region, infrastructure);
      if (!letsInAs(gateway.authorizerConfiguration, authorizerConfiguration))
        await client.send(new UpdateGatewayCommand({ ...settingsOf(gateway), gatewayIdentifier, authorizerConfiguration }));
      await untilReady(waiting, name, () => describe(gatewayIdentifier));
      return true;
    },

    async delete(tenantId, waiting) {
      const { gateway: name } = tenantResources(tenantId);
      for (const { gatewayId = '' } of await findGateways(client, name)) await remove(client, gatewayId, name, waiting);
    },
  };
}
