import type { OffboardingRequest, OnboardingRequest, Operation } from '../contracts/operation';

/** Onboardings and offboardings, through Temporal. The operation id makes each start idempotent. */
export interface Operations {
  /** Returns once the id is reserved. @throws DomainError `tenant/exists`. */
  onboard(operationId: string, request: OnboardingRequest): Promise<Operation>;
  /** Returns once the tenant is blocked. @throws DomainError `tenant/not-found`, `tenant/busy`. */
  offboard(operationId: string, request: OffboardingRequest): Promise<Operation>;
  get(operationId: string): Promise<Operation | undefined>;
  /** @throws DomainError `operation/not-found`, `operation/not-cancellable`. */
  cancel(operationId: string): Promise<Operation>;
}
