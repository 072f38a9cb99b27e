import type { AgentConfig } from '../contracts/tenant';

/** The agent of a tenant, in SSM under the tenant's key. */
export interface AgentConfigs {
  /** @throws DomainError `config/unreadable` — never an empty configuration instead. */
  get(tenantId: string): Promise<AgentConfig>;
  put(tenantId: string, config: AgentConfig): Promise<void>;
  delete(tenantId: string): Promise<void>;
}
