import type { ErasurePlaceName, ErasurePlan, ErasureStatement, ListedErasure, SignedErasure } from '../contracts/erasure';
import type { Waiting } from './provisioning';

export interface ErasureRef {
  readonly tenantId: string;
  readonly operationId: string;
}

/**
 * Erasures of all tenants, outside of what tenants own: restores of older backups go by it, and proof is read from it. What is there once is
 * never written over.
 */
export interface Erasures {
  /** Notes what is about to be erased. The first plan stands. */
  plan(plan: ErasurePlan): Promise<ErasurePlan>;
  findPlan(ref: ErasureRef): Promise<ErasurePlan | undefined>;
  /** All of a tenant's, those that run included. */
  list(tenantId: string): Promise<ListedErasure[]>;
  /** Signs and keeps it. The first one stands, and is what every call returns. */
  issue(statement: ErasureStatement): Promise<SignedErasure>;
  find(ref: ErasureRef): Promise<SignedErasure | undefined>;
}

/** What is erased: whose sessions, and all else of a user. */
export type ErasureScope = Pick<ErasurePlan, 'tenantId' | 'subject' | 'sessions' | 'schedules'>;

/** A place in which something of a person can lie. Every verb may be repeated. */
export interface ErasurePlace {
  readonly name: ErasurePlaceName;
  /** How it is looked for, for the statement. */
  readonly call: string;
  count(scope: ErasureScope, waiting: Waiting): Promise<number>;
  /** Returns when it is gone. */
  erase(scope: ErasureScope, waiting: Waiting): Promise<void>;
}
