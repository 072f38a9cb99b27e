import type { Agent, AgentPin, AgentVersion, AgentVersionWithSettings } from '../contracts/agent';
import type { AgentConfig } from '../contracts/tenant';

/** What is published as a version, by whom, and under which id: the same id publishes once. */
export interface Publication {
  readonly settings: AgentConfig;
  readonly note?: string | undefined;
  readonly by: string;
  readonly requestId: string;
}

/** The agents of a tenant that have a name, each with versions that never change. */
export interface Agents {
  list(tenantId: string): Promise<Agent[]>;
  get(tenantId: string, name: string): Promise<Agent | undefined>;
  /** With its first version, which the default alias stands for. @throws DomainError `agent/exists`, `agent/too-many` */
  create(tenantId: string, agent: { readonly name: string; readonly description?: string | undefined }, publication: Publication): Promise<Agent>;
  /** What a request has published, if it was carried out. */
  published(tenantId: string, name: string, requestId: string): Promise<AgentVersion | undefined>;
  /**
   * Adds the next version, and writes what else is new in the agent.
   * @param next - the agent as it was read, changed at will.
   * @throws DomainError `agent/changed` when it is no longer as it was read, `agent/too-many`
   */
  publish(tenantId: string, next: Agent, publication: Publication): Promise<AgentVersion>;
  /** Writes aliases and archive of an agent that was read and changed. @throws DomainError `agent/changed` */
  replace(tenantId: string, next: Agent): Promise<Agent>;
  /** Newest first. */
  versions(tenantId: string, name: string, page: { readonly limit: number; readonly cursor?: string | undefined }): Promise<{ readonly versions: AgentVersion[]; readonly nextCursor?: string }>;
  /** @throws DomainError `agent/not-found` */
  version(tenantId: string, pin: AgentPin): Promise<AgentVersionWithSettings>;
}
