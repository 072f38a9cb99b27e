import {
  GetOauth2CredentialProviderCommand,
  GetWorkloadIdentityCommand,
  paginateListAgentRuntimes,
  paginateListGateways,
  paginateListMemories,
  paginateListOauth2CredentialProviders,
  paginateListWorkloadIdentities,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { tenantResources } from '../../../contracts/names';
import type { ResourceFinder } from '../../../ports/tenant-inventory';
import type { PlatformClients } from '../clients';
import { findGateways, rateLimitsOf, targetsOf } from '../tenant-gateways';
import { nameOfMemory } from '../tenant-memories';
import { endpointsOf, findRuntimes } from '../tenant-runtimes';
import { findScalingPolicies } from '../tenant-scalings';
import { ifThere } from '../failures';
import { allOf, checksOf, resource, tenantsOf } from './finding';

export function memoryFinder({ agentCoreControl: client }: PlatformClients): ResourceFinder {
  const memories = () => allOf(paginateListMemories({ client, pageSize: 50 }, {}), (page) => page.memories);
  return {
    checks: checksOf('agentcore', { memory: 'ListMemories' }),
    async find(tenantId) {
      const { memory } = tenantResources(tenantId);
      return (await memories()).flatMap(({ id = '', status }) => (nameOfMemory(id) === memory ? [resource('agentcore', 'memory', id, status)] : []));
    },
    tenantIds: async () => tenantsOf('memory', (await memories()).map(({ id = '' }) => nameOfMemory(id))),
  };
}

/** Endpoints go with their runtime, but not by themselves. */
export const runtimeFinder = ({ agentCoreControl: client }: Pick<PlatformClients, 'agentCoreControl'>): ResourceFinder => ({
  checks: checksOf('agentcore', { runtime: 'ListAgentRuntimes', 'runtime-endpoint': 'ListAgentRuntimeEndpoints' }),
  async find(tenantId) {
    const runtimes = await findRuntimes(client, tenantResources(tenantId).runtime);
    const found = await Promise.all(
      runtimes.map(async ({ agentRuntimeId = '', status }) => [
        resource('agentcore', 'runtime', agentRuntimeId, status),
        ...(await endpointsOf(client, agentRuntimeId)).map((endpoint) => resource('agentcore', 'runtime-endpoint', `${agentRuntimeId}/${endpoint.name ?? ''}`, endpoint.status)),
      ]),
    );
    return found.flat();
  },
  async tenantIds() {
    const runtimes = await allOf(paginateListAgentRuntimes({ client, pageSize: 100 }, {}), (page) => page.agentRuntimes);
    return tenantsOf('runtime', runtimes.map(({ agentRuntimeName }) => agentRuntimeName));
  },
});

/** A gateway cannot go before what is on it. */
export const gatewayFinder = ({ agentCoreControl: client }: Pick<PlatformClients, 'agentCoreControl'>): ResourceFinder => ({
  checks: checksOf('agentcore', { gateway: 'ListGateways', 'gateway-target': 'ListGatewayTargets', 'gateway-rate-limit': 'ListGatewayRateLimits' }),
  async find(tenantId) {
    const gateways = await findGateways(client, tenantResources(tenantId).gateway);
    const found = await Promise.all(
      gateways.map(async ({ gatewayId = '', status }) => {
        const [targets, limits] = await Promise.all([targetsOf(client, gatewayId), rateLimitsOf(client, gatewayId)]);
        return [
          resource('agentcore', 'gateway', gatewayId, status),
          ...targets.map((target) => resource('agentcore', 'gateway-target', `${gatewayId}/${target.name ?? ''}`, target.status)),
          ...limits.map((limit) => resource('agentcore', 'gateway-rate-limit', `${gatewayId}/${limit.rateLimitId ?? ''}`, limit.status)),
        ];
      }),
    );
    return found.flat();
  },
  async tenantIds() {
    const gateways = await allOf(paginateListGateways({ client, pageSize: 100 }, {}), ({ items }) => items);
    return tenantsOf('gateway', gateways.map(({ name }) => name));
  },
});

export const identityFinder = ({ agentCoreControl: client }: Pick<PlatformClients, 'agentCoreControl'>): ResourceFinder => ({
  checks: checksOf('agentcore', { 'workload-identity': 'GetWorkloadIdentity', 'credential-provider': 'GetOauth2CredentialProvider' }),
  async find(tenantId) {
    const { workloadIdentity, credentialProvider } = tenantResources(tenantId);
    const [workload, provider] = await Promise.all([
      ifThere(client.send(new GetWorkloadIdentityCommand({ name: workloadIdentity }))),
      ifThere(client.send(new GetOauth2CredentialProviderCommand({ name: credentialProvider }))),
    ]);
    return [
      ...(workload ? [resource('agentcore', 'workload-identity', workloadIdentity)] : []),
      ...(provider ? [resource('agentcore', 'credential-provider', credentialProvider, provider.status)] : []),
    ];
  },
  async tenantIds() {
    const [workloads, providers] = await Promise.all([
      allOf(paginateListWorkloadIdentities({ client, pageSize: 20 }, {}), (page) => page.workloadIdentities),
      allOf(paginateListOauth2CredentialProviders({ client, pageSize: 20 }, {}), (page) => page.credentialProviders),
    ]);
    return [...tenantsOf('workloadIdentity', workloads.map(({ name }) => name)), ...tenantsOf('credentialProvider', providers.map(({ name }) => name))];
  },
});

/** The fleet is the platform's; a tenant has a policy on it. */
export const scalingFinder = ({ applicationAutoScaling: client }: Pick<PlatformClients, 'applicationAutoScaling'>): ResourceFinder => ({
  checks: checksOf('application-autoscaling', { 'scaling-policy': 'DescribeScalingPolicies' }),
  async find(tenantId) {
    const { scalingPolicy } = tenantResources(tenantId);
    return (await findScalingPolicies(client, scalingPolicy)).map(({ ResourceId = '' }) => resource('application-autoscaling', 'scaling-policy', `${scalingPolicy} on ${ResourceId}`));
  },
  tenantIds: async () => tenantsOf('scalingPolicy', (await findScalingPolicies(client)).map(({ PolicyName }) => PolicyName)),
});
