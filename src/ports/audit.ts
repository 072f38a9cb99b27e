import type { AuditEntry, AuditEvent, SignedCheckpoint } from '../contracts/audit';
import type { PublicKey } from '../contracts/public-key';

/** Where a chain ends. */
export interface AuditHead {
  /** 0 of a chain without entries. */
  readonly seq: number;
  readonly hash: string;
}

/** What was done and denied, one chain of entries for each tenant and one for the platform; nothing in it is changed or deleted before its time. */
export interface AuditLog {
  /**
   * Writes events behind the chain's last entry, in their order, all or none. Those who write at the same time share a write.
   * @param once - a key: what was recorded under it already is not recorded again.
   * @throws DomainError `audit/unavailable` when they could not be written within seconds.
   */
  append(chain: string, events: readonly AuditEvent[], once?: string): Promise<void>;
  head(chain: string): Promise<AuditHead>;
  /** Entries behind `after` up to `upTo`, oldest first. */
  read(chain: string, range?: { after?: number; upTo?: number }): AsyncIterable<AuditEntry>;
  /** Entries before `before`, newest first. */
  readBack(chain: string, before?: number): AsyncIterable<AuditEntry>;
  /** Signed heads of the chain, oldest first. */
  checkpoints(chain: string, range?: { after?: number; upTo?: number }): AsyncIterable<SignedCheckpoint>;
  lastCheckpoint(chain: string): Promise<SignedCheckpoint | undefined>;
  /**
   * Reads what came behind the last checkpoint, and signs the head when it follows from there. Nothing new: nothing is signed.
   * @returns the chain's head, and whether it was signed now.
   * @throws DomainError `audit/broken` that says what does not hold together.
   */
  sign(chain: string): Promise<AuditHead & { readonly isNew: boolean }>;
  /** Signs what was exported: kept nowhere but in the export. */
  seal(exported: { chain: string; after: number; head: AuditHead; previous?: number }): Promise<SignedCheckpoint>;
  /** The key checkpoints are signed with. */
  key(): Promise<{ jwk: PublicKey; pem: string }>;
}
