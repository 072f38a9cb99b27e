import { z } from 'zod';
import { AgentConfig, TenantId } from '../../contracts/tenant';
import type { AgentConfigs } from '../../ports/agent-configs';
import { checkTools } from '../agent-tools';
import { tenantRoute, type Route } from '../route';

const TenantPath = z.object({ tenantId: TenantId });

export const configRoutes = ({ configs, toolNames }: { readonly configs: AgentConfigs; readonly toolNames: readonly string[] }): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/config',
    summary: "Show the tenant's agent",
    permission: 'read:config',
    params: TenantPath,
    response: AgentConfig,
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: await configs.get(tenantId) }),
  }),
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/config',
    summary: "Replace the tenant's agent; running turns finish as they began",
    permission: 'write:config',
    params: TenantPath,
    body: AgentConfig,
    response: AgentConfig,
    status: 200,
    async handle({ params: { tenantId }, body }) {
      checkTools(body, toolNames);
      await configs.put(tenantId, body);
      return { body };
    },
  }),
];
