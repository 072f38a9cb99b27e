import type { ApiKey, Standing } from '../contracts/access';
import { type Permission, permissionsOf, type Realm } from './permissions';

/** How far the clocks of those who mint tokens and of those who check them may differ. */
export const clockToleranceMs = 5_000;

/** When a token was minted, and when its user signed in: a renewed token keeps that time. Milliseconds since 1970. */
export interface TokenAge {
  readonly issuedAtMs: number;
  readonly signedInAtMs: number;
}

export interface KnownStandings {
  readonly everybody: Standing;
  readonly user: Standing;
}

const isBefore = (atMs: number, mark: string | undefined): boolean => mark !== undefined && atMs < Date.parse(mark);

/**
 * Why somebody whose token is genuine is not let in any more, in words. Tokens count whole seconds: one that was minted in the very second
 * of a sign-out is refused whether it was minted before or after.
 */
export function refusalOf({ everybody, user }: KnownStandings, { signedInAtMs }: Pick<TokenAge, 'signedInAtMs'>): string | undefined {
  if (user.disabled === true) return 'this user is disabled';
  if (isBefore(signedInAtMs, user.notBefore) || isBefore(signedInAtMs, everybody.notBefore)) return 'it was signed out';
  return undefined;
}

/** What the user may do: by the token's groups, or by those given since it was minted. */
export function permissionsNow(realm: Realm, token: TokenAge & { readonly groups: readonly string[] }, { groups, groupsSince }: Standing): ReadonlySet<Permission> {
  return permissionsOf(realm, groups !== undefined && isBefore(token.issuedAtMs, groupsSince) ? groups : token.groups);
}

/** Why an API key is not taken, in words. */
export function keyRefusalOf({ createdAt, expiresAt, revokedAt }: ApiKey, creator: KnownStandings, nowMs: number): string | undefined {
  if (revokedAt !== undefined) return 'it was revoked';
  if (Date.parse(expiresAt) <= nowMs) return 'it has expired';
  return refusalOf(creator, { signedInAtMs: Date.parse(createdAt) }) === undefined ? undefined : 'who made it was signed out or disabled since';
}

/** What a key may do: what it was given, as far as its creator may do it still. */
export function keyPermissions({ permissions }: ApiKey, creator: Standing): ReadonlySet<Permission> {
  const given = new Set(permissions);
  const creators = creator.groups === undefined ? undefined : permissionsOf('tenant', creator.groups);
  return new Set(delegable.filter((permission) => given.has(permission) && (creators === undefined || creators.has(permission))));
}

/** What a key can be given. One that was stolen must make no further keys, and let nobody in. */
export const delegable = [
  'invoke:agent',
  'read:session',
  'read:any-session',
  'write:session',
  'approve:tool',
  'read:config',
  'write:config',
  'read:usage',
] as const satisfies readonly Permission[];
