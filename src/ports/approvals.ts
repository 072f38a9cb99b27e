import type { ApprovalDecision, ApprovalRecord } from '../contracts/approval';
import type { SessionRef } from '../contracts/session';
import type { PageRequest } from './page';

/** The approvals of a tenant, as lists show them. The log is the truth; this follows it, by the same activities. */
export interface Approvals {
  /** Lists new ones, as waiting. One that is listed already stays as it is, decided or not. */
  open(records: readonly ApprovalRecord[]): Promise<void>;
  /** Notes how one ended. One that has ended stays as it ended, one that is not listed is left alone. */
  decide(session: SessionRef, approvalId: string, how: { decision: ApprovalDecision; by: readonly string[]; expired?: boolean; at: string }): Promise<void>;
  get(session: SessionRef, approvalId: string): Promise<ApprovalRecord | undefined>;
  /** Of one session, in no order. */
  ofSession(session: SessionRef): Promise<ApprovalRecord[]>;
  /** Of the tenant, those asked last first. */
  list(tenantId: string, page: PageRequest & { list: 'waiting' | 'decided' }): Promise<{ approvals: ApprovalRecord[]; nextCursor?: string }>;
}
