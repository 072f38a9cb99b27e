import type { TenantInfrastructure } from '../contracts/tenant';

/** Progress callback: called at least every few seconds while something takes long. */
export type Beat = (detail: string) => void;

export interface Waiting {
  readonly signal: AbortSignal;
  readonly beat: Beat;
}

/** The CloudFormation stack `tenant-{id}-infrastructure`. Every verb is idempotent. */
export interface TenantStacks {
  /** Creates it, or waits for the one this operation began. @throws DomainError `infrastructure/failed` with the stack's own reason. */
  create(tenantId: string, operationId: string, waiting: Waiting): Promise<TenantInfrastructure>;
  /** Deletes it and waits until it is gone; fine when there is none. The key is left pending deletion. */
  delete(tenantId: string, waiting: Waiting): Promise<void>;
}

/** The AgentCore memory `tenant_{id}_memory`, under the tenant's key. */
export interface TenantMemories {
  create(input: { tenantId: string; operationId: string; keyArn: string; roleArn: string }, waiting: Waiting): Promise<string>;
  delete(tenantId: string, waiting: Waiting): Promise<void>;
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
  all(userPoolId: string): AsyncIterable<TenantUser>;
}

/** A tenant's stored data as it leaves: what must be emptied before the stack can be deleted, and the key. */
export interface TenantData {
  /** Removes every object and version; fine when the bucket is gone. */
  emptyBucket(tenantId: string, waiting: Waiting): Promise<void>;
  /** Schedules the key's deletion (7 days); fine when it already is. @returns undefined when there is no key. */
  scheduleKeyDeletion(tenantId: string): Promise<{ keyArn: string; deletionDate: string } | undefined>;
}

/** Passing data of a tenant, outside of AWS. */
export interface TenantTraces {
  /** Removes all of it; fine when there is none. */
  erase(tenantId: string): Promise<void>;
}
