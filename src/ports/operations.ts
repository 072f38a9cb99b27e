import type { Operation } from '../contracts/operation';
import type { Administrator, RequestRate, Tier } from '../contracts/tenant';
import type { AgentConfig } from '../contracts/tenant';

export interface OnboardingRequest {
  readonly tenantId: string;
  readonly displayName: string;
  readonly tier: Tier;
  readonly rate?: RequestRate;
  readonly administrator: Administrator;
  readonly agent: AgentConfig;
}

export interface OffboardingRequest {
  readonly tenantId: string;
  /** Seconds between the verified backup and deletion, in which the operation can be cancelled. */
  readonly graceSeconds: number;
  /** Seconds running turns may take to finish before they are cancelled. */
  readonly drainSeconds: number;
}

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
