import type { ApiKey, MachineClient, Standing } from '../contracts/access';
import { DomainError } from '../contracts/errors';
import { machineAccess } from '../contracts/names';
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

/** The machine client whose credential this is, or was until lately. */
export const machineClientOf = (clients: readonly MachineClient[], oauthClientId: string): MachineClient | undefined =>
  clients.find(({ credentials }) => credentials.some((credential) => credential.oauthClientId === oauthClientId));

/**
 * Why a token of a machine client is not taken, in words. Tokens are not told apart from their credential: while Cognito gives out new ones for it, it
 * is the credential's time that counts in a sign-out of the tenant.
 */
export function machineRefusalOf({ revokedAt, credentials }: MachineClient, oauthClientId: string, { notBefore }: Standing, nowMs: number): string | undefined {
  if (revokedAt !== undefined) return 'the machine client was revoked';
  const credential = credentials.find((known) => known.oauthClientId === oauthClientId);
  if (!credential || (credential.until !== undefined && Date.parse(credential.until) <= nowMs)) return 'the secret of the machine client was replaced';
  return isBefore(Date.parse(credential.since), notBefore) ? 'everybody of the tenant was signed out since the secret was made' : undefined;
}

/**
 * What stays good of a machine client's credentials when it is given another. Which of them is in use nobody knows: the secret of the newest may have been
 * lost with the answer that showed it. So an overlap is everybody's, and no longer than what was said before: a secret that was given up is not good again.
 */
export function stayingCredentials({ credentials }: MachineClient, overlapSeconds: number, nowMs: number): MachineClient['credentials'] {
  const end = new Date(nowMs + overlapSeconds * 1_000).toISOString();
  const endOf = (until = end) => (isBefore(Date.parse(until), end) ? until : end);
  return credentials.map((credential) => ({ ...credential, until: endOf(credential.until) })).filter(({ until }) => Date.parse(until) > nowMs);
}

/** What a machine client may do: what it was given, as far as its token has a scope for it. */
export function machinePermissions({ permissions }: MachineClient, scopes: readonly string[]): ReadonlySet<Permission> {
  const [stored, granted] = [new Set(permissions), new Set(scopes)];
  return new Set(delegable.filter((permission) => stored.has(permission) && granted.has(machineAccess.scope(permission))));
}

/** @throws DomainError `auth/forbidden`: nobody gives what they do not have. */
export function mustHaveAll(own: ReadonlySet<Permission>, given: readonly Permission[]): void {
  const beyond = given.filter((permission) => !own.has(permission));
  if (beyond.length > 0) throw new DomainError('auth/forbidden', `You cannot give what you do not have: ${beyond.join(', ')}.`);
}

/** What keys and machine clients can be given. One that was stolen must make no further ones, and let nobody in. */
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
