import { z } from 'zod';
import { apiKeyText, machineClientIdLength } from './names';

/**
 * What was decided about a user since their tokens were minted: a token says what held at sign-in. Nothing, for most.
 * Of everybody of a pool, `notBefore` alone counts.
 */
export const Standing = z.object({
  /** Whoever signed in before, is signed out; API keys made before are dead. */
  notBefore: z.iso.datetime().optional(),
  disabled: z.boolean().optional(),
  /** What the user's groups were changed to, and when: tokens minted before say otherwise. */
  groups: z.array(z.string()).optional(),
  groupsSince: z.iso.datetime().optional(),
});
export type Standing = z.infer<typeof Standing>;

/** Shortest and longest life of an API key, and how long one lives when nobody says, in seconds. */
export const apiKeyLife = { shortest: 60, longest: 90 * 86_400, usual: 30 * 86_400 } as const;

/** Keys a tenant may have that have not expired. */
export const maxApiKeys = 100;

/** A key by which a program speaks for a tenant. The key itself is shown once, and kept nowhere. */
export const ApiKey = z.object({
  keyId: z.string().length(apiKeyText.idLength),
  name: z.string(),
  permissions: z.array(z.string()),
  /** Cognito `sub` of who made it. The key may never do what this user may not, and dies with a sign-out of this user. */
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
});
export type ApiKey = z.infer<typeof ApiKey>;

/** As it is kept. */
export const StoredApiKey = ApiKey.extend({
  /** SHA-256 of the key, in hex. A key is 256 random bits: there is nothing to guess that a slow hash would slow down. */
  digest: z.string().length(64),
});
export type StoredApiKey = z.infer<typeof StoredApiKey>;

/** Machine clients a tenant may have that were not revoked. */
export const maxMachineClients = 50;

/** How long the secrets before a rotation may be good at most, in seconds. */
export const maxSecretOverlapSeconds = 7 * 86_400;

/** Secrets of a machine client that may be good at once. */
export const maxMachineSecrets = 5;

/** What a machine client shows at the token endpoint, but for its secret, which Cognito keeps. */
const MachineCredential = z.object({
  /** `client_id` in OAuth's words. Cognito gives a secret no successor: a rotation makes another. */
  oauthClientId: z.string(),
  since: z.iso.datetime(),
  /** Tokens of it are refused from then on, as it was replaced. */
  until: z.iso.datetime().optional(),
});

/** A program that gets tokens of the tenant's pool in its own name, by OAuth's client credentials. */
export const MachineClient = z.object({
  /** The same for all its life, whatever its credentials. */
  clientId: z.string().length(machineClientIdLength),
  name: z.string(),
  description: z.string().optional(),
  permissions: z.array(z.string()),
  /** The newest first; the others, if there are any, give way to it. */
  credentials: z.array(MachineCredential).min(1).max(maxMachineSecrets),
  /** Cognito `sub` of who registered it. It stays when that user leaves. */
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
});
export type MachineClient = z.infer<typeof MachineClient>;

/** As it is kept. */
export const StoredMachineClient = MachineClient.extend({
  /** Requests with a key that have rotated it, the latest first: none of them rotates again. */
  rotations: z.array(z.object({ requestId: z.string(), requestDigest: z.string() })).optional(),
});
export type StoredMachineClient = z.infer<typeof StoredMachineClient>;

/** What a pool has for clients that get tokens in their own name. */
export interface PoolOfClients {
  /** All its app clients, those with which people sign in too. */
  readonly appClients: readonly { readonly oauthClientId: string; readonly name: string }[];
  /** Permissions there is a scope for. */
  readonly scopes: readonly string[];
  /** Whether it has a token endpoint. */
  readonly hasDomain: boolean;
}
