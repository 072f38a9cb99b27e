import type { Standing, StoredApiKey } from '../contracts/access';

/** What holds for a user beyond what the token says: the user's own standing, and that of everybody of the pool. */
export interface Standings {
  readonly everybody: Standing;
  readonly user: Standing;
}

/**
 * Who is let in no more, and API keys; shared by all replicas and strongly consistent. `owner` is a tenant's id, or the platform's
 * name for its operators.
 */
export interface AccessStore {
  /** @param userId - undefined: of everybody alone. @throws DomainError `dependency/unavailable` */
  standings(owner: string, userId: string | undefined): Promise<Standings>;
  /** Adds to what is noted of a user (undefined: of everybody). A mark never moves back in time. */
  note(owner: string, userId: string | undefined, change: Standing): Promise<void>;
  /** @throws DomainError `api-key/shown` when there is one of this id. */
  addKey(owner: string, key: StoredApiKey): Promise<void>;
  key(owner: string, keyId: string): Promise<StoredApiKey | undefined>;
  /** All of them, those that have expired or were revoked lately too; newest first. */
  keys(owner: string): Promise<StoredApiKey[]>;
  /** Fine when it is revoked: the first time stands. @returns undefined when there is none. */
  revokeKey(owner: string, keyId: string): Promise<StoredApiKey | undefined>;
  /** Forgets all of an owner's, when it has left. Fine when there is nothing. */
  forget(owner: string): Promise<void>;
}

/** {@link AccessStore} as requests ask it: answers are at most `accessCacheMs` old. */
export type AccessReader = Pick<AccessStore, 'standings' | 'key'>;
