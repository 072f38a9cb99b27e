/** The sessions of a tenant that wait for budget. */
export interface WaitingSessions {
  /** Has each of them try again: somebody has changed what limits them. @param heardAfterMs - age at which every worker knows. */
  budgetChanged(tenantId: string, heardAfterMs: number): Promise<void>;
}
