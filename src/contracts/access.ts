import { z } from 'zod';
import { apiKeyText } from './names';

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
