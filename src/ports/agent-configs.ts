import type { AgentConfig } from '../contracts/tenant';

/** The agent of a tenant, in SSM under the tenant's key. Each put makes a version; the latest is in force. */
export interface AgentConfigs {
  /** Age at which every process has read the latest version anew. */
  readonly heardAfterMs: number;
  /** What is in force. @throws DomainError as `current` does. */
  get(tenantId: string): Promise<AgentConfig>;
  /** The version in force. @throws DomainError `config/unreadable`, which names what is wrong — never an empty configuration instead. */
  current(tenantId: string): Promise<{ version: number; agent: AgentConfig }>;
  /** An earlier version; the one in force when that is no longer kept. @throws DomainError `config/unreadable` */
  version(tenantId: string, version: number): Promise<AgentConfig>;
  put(tenantId: string, config: AgentConfig): Promise<void>;
  delete(tenantId: string): Promise<void>;
}
