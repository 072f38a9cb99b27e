import type { Agent, AgentPin, AgentVersion, AgentVersionWithSettings } from '../contracts/agent';
import type { AgentConfig } from '../contracts/tenant';
import type { PageRequest } from './page';

/** What asks for a publication: the same id publishes once. */
export interface PublicationRequest {
  readonly requestId: string;
  /** Absent: the request has no key, and is not repeated. */
  readonly requestDigest?: string | undefined;
}

/** What is published as a version, by whom, and on which request. */
export interface Publication extends PublicationRequest {
  readonly settings: AgentConfig;
  readonly note?: string | undefined;
  readonly by: string;
}

/** The agents of a tenant that have a name, each with versions that never change. */
export interface Agents {
  list(tenantId: string): Promise<Agent[]>;
  get(tenantId: string, name: string): Promise<Agent | undefined>;
  /** With its first version, which the default alias stands for. @throws DomainError `agent/exists`, `agent/too-many`, `idempotency/key-reused` */
  create(tenantId: string, agent: { readonly name: string; readonly description?: string | undefined }, publication: Publication): Promise<Agent>;
  /** What a request has published, if it was carried out. @throws DomainError `idempotency/key-reused` when its id is another request's */
  published(tenantId: string, name: string, request: PublicationRequest): Promise<AgentVersion | undefined>;
  /**
   * Adds the next version, and writes what else is new in the agent.
   * @param next - the agent as it was read, changed at will.
   * @throws DomainError `agent/changed` when it is no longer as it was read, `agent/too-many`, `idempotency/key-reused`
   */
  publish(tenantId: string, next: Agent, publication: Publication): Promise<AgentVersion>;
  /** Writes aliases and archive of an agent that was read and changed. @throws DomainError `agent/changed` */
  replace(tenantId: string, next: Agent): Promise<Agent>;
  /** Newest first. */
  versions(tenantId: string, name: string, page: PageRequest): Promise<{ readonly versions: AgentVersion[]; readonly nextCursor?: string }>;
  /** @throws DomainError `agent/not-found` */
  version(tenantId: string, pin: AgentPin): Promise<AgentVersionWithSettings>;
}
