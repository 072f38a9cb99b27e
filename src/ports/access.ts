import type { MachineClient, Standing, StoredApiKey, StoredMachineClient } from '../contracts/access';

/** What holds for a user beyond what the token says: the user's own standing, and that of everybody of the pool. */
export interface Standings {
  readonly everybody: Standing;
  readonly user: Standing;
}

/**
 * Who is let in no more, API keys and machine clients; shared by all replicas and strongly consistent. `owner` is a tenant's id, or the platform's
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
  /** @throws DomainError `machine-client/shown` when there is one of this id. */
  addMachineClient(owner: string, client: MachineClient): Promise<void>;
  /** Those that were revoked lately too; newest first. */
  machineClients(owner: string): Promise<StoredMachineClient[]>;
  /**
   * Replaces its credentials, when the first of them is still that one and it was not revoked.
   * @returns undefined when that does not hold any more.
   */
  setMachineCredentials(owner: string, clientId: string, current: string, next: Required<Pick<StoredMachineClient, 'credentials' | 'rotations'>>): Promise<StoredMachineClient | undefined>;
  /** Changes what is given. @returns undefined when there is none, or it was revoked. */
  changeMachineClient(owner: string, clientId: string, change: { readonly [Name in 'name' | 'description' | 'permissions']?: MachineClient[Name] | undefined }): Promise<MachineClient | undefined>;
  /** Fine when it is revoked: the first time stands. @returns undefined when there is none. */
  revokeMachineClient(owner: string, clientId: string): Promise<MachineClient | undefined>;
  /** Forgets all of an owner's, when it has left. Fine when there is nothing. */
  forget(owner: string): Promise<void>;
}

/** {@link AccessStore} as requests ask it: answers are at most `accessCacheMs` old. */
export interface AccessReader extends Pick<AccessStore, 'standings' | 'key'> {
  /** The machine client whose credential this is, or was until lately. */
  machineClient(owner: string, oauthClientId: string): Promise<MachineClient | undefined>;
}
