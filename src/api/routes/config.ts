import { DomainError } from '../../contracts/errors';
import { AgentConfig, AgentSettings } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { mustAllow } from '../../domain/tiers';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { Agents } from '../../ports/agents';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { WaitingSessions } from '../../ports/waiting-sessions';
import { checkAgent } from '../agent-check';
import { checkCalledAgents } from '../called-agents';
import { withoutSecret, withSecretOf } from '../agent-secrets';
import { type Route, sharedRoute, tenantRoute } from '../route';
import { TenantPath } from './paths';

export interface ConfigRoutesDeps {
  readonly agents: Agents;
  readonly configs: AgentConfigs;
  readonly registry: TenantRegistry;
  readonly waitingSessions: WaitingSessions;
  readonly toolNames: readonly string[];
  readonly tiers: Tiers;
}

export const configRoutes = ({ agents, configs, registry, waitingSessions, toolNames, tiers }: ConfigRoutesDeps): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/config',
    summary: "Show the tenant's agent",
    permission: 'read:config',
    params: TenantPath,
    response: AgentConfig,
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: withoutSecret(await configs.get(tenantId)) }),
  }),
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/config',
    summary: "Replace the tenant's agent, within what its tier allows; running turns finish as they began; those that wait for budget go on when there is enough",
    permission: 'write:config',
    params: TenantPath,
    body: AgentSettings,
    response: AgentConfig,
    status: 200,
    async handle({ params: { tenantId }, body }) {
      checkAgent(body, toolNames);
      await checkCalledAgents(agents, tenantId, body);
      // Read anew: an operation that has begun a moment ago relies on the configuration it saw.
      const { tier = '', claimedBy } = (await registry.get(tenantId)) ?? {};
      if (claimedBy !== undefined) throw new DomainError('tenant/busy', `Operation ${claimedBy} works on tenant ${tenantId}. Try again when it has ended.`);
      mustAllow(tiers, tier, body);
      const agent = await withSecretOf(body, () => configs.get(tenantId));
      await configs.put(tenantId, agent);
      await waitingSessions.budgetChanged(tenantId, configs.heardAfterMs);
      return { body: withoutSecret(agent) };
    },
  }),
];
