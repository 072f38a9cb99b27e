import { groups } from '../../contracts/names';
import type { AgentConfig, TenantInfrastructure } from '../../contracts/tenant';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { TenantMemories, TenantUsers } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { WaitingSessions } from '../../ports/waiting-sessions';
import { waiting } from './waiting';

export interface AgentDeps {
  readonly registry: TenantRegistry;
  readonly memories: TenantMemories;
  readonly configs: AgentConfigs;
  readonly users: TenantUsers;
  readonly waitingSessions: WaitingSessions;
}

/** What turns infrastructure into a tenant's agent: its memory, its configuration, and who administers it. */
export const createAgentActivities = ({ registry, memories, configs, users, waitingSessions }: AgentDeps) => ({
  /** Creates the memory and notes its id in the registry. */
  async createMemory({ tenantId, operationId, infrastructure }: { tenantId: string; operationId: string; infrastructure: TenantInfrastructure }): Promise<void> {
    const { keyArn, roleArn } = infrastructure;
    const memoryId = await memories.create({ tenantId, operationId, keyArn, roleArn }, waiting());
    await registry.update(tenantId, { memoryId });
  },

  async deleteMemory({ tenantId }: { tenantId: string }): Promise<void> {
    await memories.delete(tenantId, waiting());
  },

  async putConfig({ tenantId, agent }: { tenantId: string; agent: AgentConfig }): Promise<void> {
    await configs.put(tenantId, agent);
    await waitingSessions.budgetChanged(tenantId, configs.heardAfterMs);
  },

  async deleteConfig({ tenantId }: { tenantId: string }): Promise<void> {
    await configs.delete(tenantId);
  },

  /** Cognito mails the invitation. The user leaves with the pool. */
  async createAdministrator({ userPoolId, email }: { userPoolId: string; email: string }): Promise<void> {
    await users.create(userPoolId, { email, groups: [groups.administrators] });
  },
});
