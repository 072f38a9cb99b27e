import type { BackedUpTenant } from '../contracts/backup';
import type { Budgets } from '../contracts/budget';
import type { ServedTenant, TenantRecord, TenantStatus, Tombstone, WorkingStatus } from '../contracts/tenant';
import type { PageRequest } from './page';

export interface TenantListing {
  readonly tenants: readonly TenantRecord[];
  /** Ids of tenants whose entries cannot be read: they are there, and nothing else of them is known. */
  readonly unreadable: readonly string[];
  readonly nextCursor?: string;
}

/** Who has set them: operators, or the tenant's administrators. */
export type BudgetSide = 'operatorBudgets' | 'ownBudgets';

/** The platform's list of tenants, table `tenant-registry`. */
export interface TenantRegistry {
  /** Strongly consistent. @throws DomainError `tenant/unreadable`: its entry is damaged, or a newer version's. */
  get(tenantId: string): Promise<TenantRecord | undefined>;
  /** Every tenant, or those of one status, in pages of at most `limit` (default 100). */
  list(page?: Partial<PageRequest> & { status?: TenantStatus | undefined }): Promise<TenantListing>;
  /**
   * Takes the id for one operation. The same operation may call it again.
   * @throws DomainError `tenant/exists`: taken, or deleted and kept from reuse.
   */
  reserve(record: Pick<TenantRecord, 'tenantId' | 'operationId'> & BackedUpTenant): Promise<TenantRecord>;
  /** Gives the id back; does nothing when another operation holds it. */
  release(tenantId: string, operationId: string): Promise<void>;
  /**
   * Moves a tenant to another status on behalf of an operation; a grace period ends with it.
   * @throws DomainError `tenant/not-found`; `tenant/busy` when the status is not one of `from`
   * (unless this operation has already made the move), or when another operation has claimed the tenant.
   */
  transition(input: { tenantId: string; from: readonly TenantStatus[]; to: TenantStatus; operationId: string }): Promise<TenantRecord>;
  /**
   * Takes a working tenant for one operation; the same operation may call it again. It does not change the status.
   * @param from - statuses the operation can begin in. Default: active or suspended.
   * @throws DomainError `tenant/not-found` (also once deleted); `tenant/busy`, which names the operation in the way;
   * `tenant/suspended`, `tenant/not-suspended` when the tenant is not what the operation needs.
   */
  claim(tenantId: string, operationId: string, from?: readonly WorkingStatus[]): Promise<TenantRecord>;
  /** Lets go of a claim; does nothing when this operation has none, or the tenant is gone. */
  releaseClaim(tenantId: string, operationId: string): Promise<void>;
  /**
   * Leaves nothing but a tombstone, on behalf of the operation that let the tenant go. Again is fine: the first one stands.
   * @throws DomainError `tenant/not-found`, `tenant/busy` as `transition`.
   */
  bury(input: { tenantId: string; operationId: string; tombstone: Tombstone }): Promise<TenantRecord>;
  /** Gives the id of a deleted tenant back; does nothing when another operation has written there since. */
  purge(tenantId: string, operationId: string): Promise<void>;
  /**
   * Replaces what one side allows the tenant to spend.
   * @param input.seenRevision - of the budgets as the caller saw them; absent: whatever they are now. Again is fine: what is set already may be set.
   * @throws DomainError `tenant/not-found`, `budget/changed`
   */
  setBudgets(tenantId: string, input: { side: BudgetSide; budgets: Budgets; seenRevision?: number | undefined }): Promise<TenantRecord>;
  /** Notes what has been built. */
  update(tenantId: string, changes: Partial<Pick<TenantRecord, 'infrastructure' | 'memoryId' | 'keyGeneration' | 'runtime' | 'identity' | 'gateway' | 'scaling' | 'rate' | 'tier' | 'displayName' | 'keepUntil' | 'restoredAt'>>): Promise<TenantRecord>;
}

/** Looks tenants up on the hot path. Answers are at most `tenantCacheMs` old. */
export interface TenantDirectory {
  /**
   * A tenant whose infrastructure stands and whose status lets it work.
   * @throws DomainError `tenant/not-found` (also once deleted), `tenant/leaving` or `tenant/not-active`.
   */
  served(tenantId: string): Promise<ServedTenant>;
  /** As `served`, whatever its status: for work that must finish while the tenant leaves. */
  built(tenantId: string): Promise<ServedTenant>;
}
