import type { FactSource } from '../contracts/fact';
import type { PageRequest } from './page';

/** Who remembers: a user of a tenant, in that tenant's own AgentCore memory. */
export interface MemoryOwner {
  readonly tenantId: string;
  readonly userId: string;
}

export interface MemoryFact {
  readonly factId: string;
  readonly text: string;
  readonly createdAt: string;
  /** Absent: the agent was asked to keep it. */
  readonly source?: FactSource;
}

export interface OwnedFact extends MemoryFact {
  /** Undefined: it is in no user's namespace of facts. */
  readonly userId: string | undefined;
}

export type FactToRestore = Omit<MemoryFact, 'factId'> & { readonly namespace: string };

export interface Memory {
  /** Keeps a fact; the same `requestId` (1-64 of A-Za-z0-9 _-) again keeps it once. */
  remember(owner: MemoryOwner, fact: { requestId: string; text: string; source?: FactSource }): Promise<MemoryFact>;
  /** Facts most like the query first, at most `limit` (default 10). */
  recall(owner: MemoryOwner, query: { text: string; limit?: number }): Promise<MemoryFact[]>;
  /** The user's facts, page by page. @throws DomainError `cursor/unknown` */
  list(owner: MemoryOwner, page: PageRequest): Promise<{ readonly facts: MemoryFact[]; readonly nextCursor?: string }>;
  /** A fact and whose it is; undefined when the tenant has none of this id. */
  get(tenantId: string, factId: string): Promise<OwnedFact | undefined>;
  /** Has a fact say something else, under the same id. @throws DomainError `memory/not-found` */
  correct(tenantId: string, factId: string, text: string): Promise<MemoryFact>;
  /** Deletes a fact; fine when there is none. */
  forget(tenantId: string, factId: string): Promise<void>;
  /** How much is kept of the user, in all namespaces; of one of their sessions alone. */
  countOf(owner: MemoryOwner, sessionId?: string): Promise<number>;
  /** Deletes all that is kept of the user. */
  forgetUser(owner: MemoryOwner): Promise<void>;
  /** Deletes what was extracted from one of the user's sessions. */
  forgetSession(owner: MemoryOwner, sessionId: string): Promise<void>;
  /** Puts facts back as they were; unlike {@link remember}, twice is two. At most 100. */
  restore(tenantId: string, facts: readonly FactToRestore[]): Promise<void>;
  /** Deletes every fact of the tenant. */
  forgetAll(tenantId: string): Promise<void>;
  /** Every fact of the tenant, streamed: for the backup. */
  all(tenantId: string): AsyncIterable<MemoryFact & { namespace: string }>;
}
