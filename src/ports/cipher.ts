/** What a ciphertext is, by name: purpose, session, key … The same must be given to open it, or it stays closed. */
export type CipherContext = Readonly<Record<string, string>>;

/** Encrypts what a session's workflow leaves in Temporal, under its tenant's key, in as few bytes as can be. */
export interface HistoryCipher {
  /** @throws DomainError `key/unavailable` when the key is disabled or deleted; `dependency/unavailable` */
  seal(tenantId: string, workflowId: string, plaintext: Uint8Array): Promise<Uint8Array>;
  /**
   * The sealed bytes say whose they are.
   * @param workflowId - where they were found, if that is known: what was sealed for another workflow stays closed.
   * @throws DomainError as `seal` does, and `payload/unreadable` for what was moved; Error when a byte was changed.
   */
  open(sealed: Uint8Array, workflowId?: string): Promise<Uint8Array>;
}

/** Encrypts for a tenant: under the tenant's own key, or under one of the platform's. Without that key nothing of it can be read. */
export interface TenantCipher {
  /** @throws DomainError `key/unavailable` when the key is disabled or deleted; `dependency/unavailable` */
  seal(tenantId: string, context: CipherContext, plaintext: Uint8Array): Promise<Uint8Array>;
  /** @throws DomainError as `seal` does; Error when tenant or context differ from those it was sealed with, or a byte was changed. */
  open(tenantId: string, context: CipherContext, sealed: Uint8Array): Promise<Uint8Array>;
}
