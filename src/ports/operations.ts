import type { OperationKind, OperationState } from '../contracts/names';
import type { Operation, OperationRequests, OperationSummary } from '../contracts/operation';
import type { PageRequest } from './page';

export interface OperationFilter {
  readonly tenantId?: string | undefined;
  readonly kind?: OperationKind | undefined;
  readonly state?: OperationState | undefined;
  /** Only those that rest after many failures, or only those that do not. */
  readonly stuck?: boolean | undefined;
  /** ISO 8601, of its beginning: at `since` or later, before `until`. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** What is done to tenants, through Temporal. The operation id makes each start idempotent. */
export interface Operations {
  /**
   * Returns once the first step stands: the id is reserved, the tenant blocked …
   * @throws DomainError with the code the first step was refused with: `tenant/exists`, `tenant/not-found`, `tenant/busy` …;
   * `idempotency/key-reused` when the id was used for another request.
   */
  start<Kind extends OperationKind>(kind: Kind, operationId: string, request: OperationRequests[Kind]): Promise<Operation>;
  get(operationId: string): Promise<Operation | undefined>;
  /** Whether its workflow runs; false when there is none (any more). */
  isRunning(operationId: string): Promise<boolean>;
  /** Newest first; a new operation is in it after about a second. @throws DomainError `request/malformed` when the cursor is none. */
  list(filter: OperationFilter, page: PageRequest): Promise<{ operations: OperationSummary[]; nextCursor?: string }>;
  /** @throws DomainError `operation/not-found`, `operation/not-cancellable`. */
  cancel(operationId: string): Promise<Operation>;
  /** Makes the next attempt now. @throws DomainError `operation/not-found`, `operation/nothing-to-retry`. */
  retry(operationId: string): Promise<Operation>;
}
