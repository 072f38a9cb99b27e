import type { KeyDeletion, TenantKey } from '../contracts/certificate';
import type { RequestRate, TenantGateway, TenantIdentity, TenantInfrastructure, TenantRuntime, TenantScaling } from '../contracts/tenant';
import type { PageRequest } from './page';

/** Progress callback: called at least every few seconds while something takes long. */
export type Beat = (detail: string) => void;

export interface Waiting {
  readonly signal: AbortSignal;
  readonly beat: Beat;
}

/** Clients of the user pool, as the template's parameter names them: with `-to-`, both exist and the second named is current. */
export type StackClients = 'first' | 'first-to-second' | 'second' | 'second-to-first';

/** The CloudFormation stack `tenant-{id}-infrastructure`. Every verb is idempotent. */
export interface TenantStacks {
  /** Creates it, or waits for the one this operation began. @throws DomainError `infrastructure/failed` with the stack's own reason. */
  create(tenantId: string, operationId: string, waiting: Waiting): Promise<TenantInfrastructure>;
  /** Whether the bucket of the tenant's name is this stack's: false when it was there before, or belongs to somebody else. */
  hasBucket(tenantId: string): Promise<boolean>;
  /** Where its parts are, by its own outputs; undefined when there is no stack, or it never came to stand. */
  outputs(tenantId: string): Promise<TenantInfrastructure | undefined>;
  /** Which client is the current one, and whether another gives way to it. */
  clients(tenantId: string): Promise<StackClients>;
  /**
   * Updates the stack so that it has these clients, and waits until it stands; fine when it has. The rest of the stack becomes what
   * today's template says. @throws DomainError `infrastructure/failed` with the stack's own reason; it has rolled back then.
   */
  setClients(tenantId: string, clients: StackClients, waiting: Waiting): Promise<TenantInfrastructure>;
  /** Deletes it and waits until it is gone; fine when there is none. The key is left pending deletion. */
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** The AgentCore memory `tenant_{id}_memory`, under the tenant's key. */
export interface TenantMemories {
  create(input: { tenantId: string; operationId: string; keyArn: string; roleArn: string }, waiting: Waiting): Promise<string>;
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** What a part of a tenant is built from. */
export interface TenantPart {
  readonly tenantId: string;
  readonly operationId: string;
  readonly infrastructure: TenantInfrastructure;
}

/** Whose tokens a part of a tenant is to accept: those of the clients its infrastructure names. */
export type TenantClients = Pick<TenantPart, 'tenantId' | 'infrastructure'>;

/** The AgentCore runtime `tenant_{id}` with its endpoint: the tenant's agent as a container of its own. */
export interface TenantRuntimes {
  /**
   * Creates it and its endpoint, or waits for those there are.
   * @returns undefined when runtimes are switched off.
   * @throws DomainError `infrastructure/failed` with AgentCore's reason.
   */
  create(part: TenantPart, waiting: Waiting): Promise<TenantRuntime | undefined>;
  /**
   * Accepts tokens of these clients and of no others, at its endpoint too. Not touched when it does already.
   * @returns false when there is none.
   * @throws DomainError `infrastructure/failed` with AgentCore's reason.
   */
  accept(clients: TenantClients, waiting: Waiting): Promise<boolean>;
  /** Fine when there is none; also when runtimes are switched off by now. */
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** Workload identity and OAuth2 credential provider of a tenant's agent. */
export interface TenantIdentities {
  /** Creates what is missing. @returns undefined when identities are switched off. */
  create(part: TenantPart): Promise<TenantIdentity | undefined>;
  /** Fine when there is none; also when identities are switched off by now. */
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** The AgentCore gateway `tenant-{id}`, with the tenant's API as its target. */
export interface TenantGateways {
  /**
   * Creates gateway, target and rate limit, or waits for those there are; an existing rate limit takes the rate.
   * @returns undefined when gateways are switched off.
   * @throws DomainError `infrastructure/failed` with AgentCore's reason.
   */
  create(part: TenantPart & { readonly rate: RequestRate }, waiting: Waiting): Promise<TenantGateway | undefined>;
  /** Gives the gateway there is another rate, also when gateways are switched off by now. @returns false when there is none. @throws DomainError `infrastructure/failed` with AgentCore's reason. */
  setRate(part: Pick<TenantPart, 'tenantId' | 'operationId'> & { readonly rate: RequestRate }, waiting: Waiting): Promise<boolean>;
  /** As {@link TenantRuntimes.accept}. */
  accept(clients: TenantClients, waiting: Waiting): Promise<boolean>;
  /** Fine when there is none; also when gateways are switched off by now. */
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** The policy by which the worker fleet grows with a tenant's backlog. The fleet itself is the platform's. */
export interface TenantScalings {
  /** Makes or renews it. @returns undefined when scaling is switched off. @throws DomainError `infrastructure/failed` when the fleet takes no more. */
  create(tenantId: string): Promise<TenantScaling | undefined>;
  /** Fine when there is none; also when scaling is switched off by now. */
  delete(tenantId: string): Promise<void>;
}

export interface TenantUser {
  readonly userId: string;
  readonly email: string;
  readonly groups: readonly string[];
  readonly enabled: boolean;
}

/** Users in a tenant's Cognito pool. */
export interface TenantUsers {
  /** Creates the user in the groups; Cognito mails an invitation. Fine when it exists. */
  create(userPoolId: string, user: { email: string; groups: readonly string[] }): Promise<TenantUser>;
  /**
   * As {@link create}, of one who was there before: no invitation is mailed, and the password is one nobody knows, so that
   * "forgot password" is the way in. One who is there keeps id and password, be it that of an invitation, and is in these groups
   * alone; a group that is not there is made.
   */
  restore(userPoolId: string, user: { email: string; groups: readonly string[]; enabled: boolean }): Promise<TenantUser>;
  /** Fine when there is none. */
  delete(userPoolId: string, email: string): Promise<void>;
  all(userPoolId: string): AsyncIterable<TenantUser>;
  /** @param page - at most 60. @throws DomainError `request/malformed` when the cursor is none. */
  list(userPoolId: string, page: PageRequest): Promise<{ users: TenantUser[]; nextCursor?: string }>;
  /** @param userId - Cognito `sub`: letters, digits and hyphens. */
  get(userPoolId: string, userId: string): Promise<TenantUser | undefined>;
  /** Puts the user into these groups of those named, and out of the others; a group that is not there is made. */
  setGroups(userPoolId: string, user: TenantUser, groups: { readonly of: readonly string[]; readonly in: readonly string[] }): Promise<void>;
  setEnabled(userPoolId: string, user: TenantUser, enabled: boolean): Promise<void>;
  /** Ends all logins at Cognito: they are renewed no more. Access tokens that are out stay good: see ports/access.ts. */
  signOut(userPoolId: string, user: TenantUser): Promise<void>;
}

/** A tenant's stored data as it leaves: what must be emptied before the stack can be deleted, and the key. */
export interface TenantData {
  /** Removes every object and version, and what of uploads was never completed; fine when the bucket is gone. */
  emptyBucket(tenantId: string, waiting: Waiting): Promise<void>;
  /** Schedules the deletion (7 days) of all keys the tenant has; fine when they already are. */
  scheduleKeyDeletion(tenantId: string): Promise<KeyDeletion[]>;
  /** The key that what the tenant holds is encrypted under. */
  key(tenantId: string): Promise<TenantKey>;
}

/** What of a tenant runs, and ran, in Temporal. */
export interface TenantWork {
  /** Ends every workflow of the tenant that still runs, at once. @param except - id of the one that asks. @returns how many. */
  end(tenantId: string, except: { readonly workflowId: string }): Promise<number>;
  /** Asks for the deletion of what its sessions left. @returns how many of them were still listed. */
  deleteHistories(tenantId: string): Promise<number>;
  /** What is still there of its sessions: those that are listed, and of how many of these the history is there. */
  histories(tenantId: string): Promise<{ listed: number; held: number }>;
}

/** The tenant's key, given new material. */
export interface KeyRotation {
  /** How often it was rotated on demand so far. Undefined where the key service cannot do that. */
  count(keyArn: string): Promise<number | undefined>;
  /**
   * Rotates the key unless it was, and waits until KMS is done. What it encrypted before stays readable.
   * @param before - the count before the first attempt.
   * @throws DomainError `key/not-rotated` with KMS' own reason.
   */
  rotate(keyArn: string, before: number, waiting: Waiting): Promise<void>;
}

/** Passing data of a tenant, outside of AWS. */
export interface TenantTraces {
  /** Removes all of it; fine when there is none. */
  erase(tenantId: string): Promise<void>;
}
