import type { Request } from 'express';
import { codeOf, DomainError } from '../contracts/errors';
import { apiKeyUser, machineClientUser, operatorCookie, platformOwner } from '../contracts/names';
import { AnyTenantId, TenantId, type ServedTenant } from '../contracts/tenant';
import { clockToleranceMs, keyPermissions, keyRefusalOf, machinePermissions, machineRefusalOf, permissionsNow, refusalOf } from '../domain/admission';
import type { Realm } from '../domain/permissions';
import type { AccessReader } from '../ports/access';
import type { MachineToken, TokenIssuer, TokenIssuers, TokenVerifier, VerifiedToken } from '../ports/identity';
import type { TenantDirectory } from '../ports/tenant-registry';
import { looksLikeApiKey, readApiKey, sameDigest } from './api-key-text';
import type { Caller } from './route';

export interface AuthenticationDeps {
  readonly directory: TenantDirectory;
  readonly issuers: TokenIssuers;
  readonly tokens: TokenVerifier;
  readonly access: AccessReader;
}

export interface Admitted {
  readonly caller: Caller;
  /** Whom the request is about; absent for what is the platform's. */
  readonly tenant?: ServedTenant;
}

export interface Identified extends Admitted {
  /** Whose pool the token is of. */
  readonly realm: Realm;
}

/** Who was let in, and a way to ask whether that still holds: a stream outlives what was true when it began. */
export interface Admission {
  readonly who: Identified;
  /** As it was at first, but with what was decided about the caller since. @throws DomainError as at first. */
  readonly again: () => Promise<Identified>;
}

const refused = (reason: string) => new DomainError('auth/unauthenticated', `The credential was refused: ${reason}. Sign in again.`);

/** A stranger learns nothing: a tenant that does not exist refuses a token with the same words as one that did not issue it. */
const notValidHere = () => new DomainError('auth/unauthenticated', 'The access token was refused: it is not valid here. Sign in again.');

const admitted = async (look: () => Promise<Identified>): Promise<Admission> => ({ who: await look(), again: look });

/**
 * @param cookieFrom - whose pages may send the sign-in's cookie in place of a token; nobody's by default.
 * @throws DomainError `auth/unauthenticated`
 */
export async function authenticateOperator(deps: AuthenticationDeps, request: Request, cookieFrom?: string): Promise<Admission> {
  const text = (cookieFrom !== undefined && cookieToken(request, new URL(cookieFrom).origin)) || bearerToken(request);
  const token = await deps.tokens.verify(text, await deps.issuers.operators());
  return admitted(async () => ({ realm: 'operator', caller: await callerOf(deps.access, { realm: 'operator', owner: platformOwner }, token) }));
}

/** A browser sends the cookie whoever made the page: only what comes from this origin counts. */
function cookieToken(request: Request, origin: string): string | undefined {
  if (request.get('authorization') !== undefined || request.get('origin') !== origin) return undefined;
  return request.get('cookie')?.split(/; */).find((cookie) => cookie.startsWith(`${operatorCookie}=`))?.slice(operatorCookie.length + 1);
}

/**
 * The issuer comes from the registry entry of the tenant the request names, never from the token.
 * @throws DomainError `auth/unauthenticated`; to the tenant's own users `tenant/leaving` or `tenant/not-active` when it does not work now.
 */
export async function authenticateTenantUser(deps: AuthenticationDeps, request: Request, named: unknown): Promise<Admission> {
  const text = bearerToken(request);
  const tenantId = TenantId.safeParse(named);
  if (!tenantId.success) throw notValidHere();
  const issuer = await issuerOf(deps, tenantId.data);
  const identify = looksLikeApiKey(text) ? keyHolder(deps.access, tenantId.data, text) : await tokenHolder(deps, tenantId.data, text, issuer);
  return admitted(async () => ({ realm: 'tenant', caller: await identify(), tenant: await deps.directory.served(tenantId.data) }));
}

/**
 * For what a tenant's users and the operators may both see. Operators see it whatever the tenant's status.
 * @throws DomainError as the two above; to operators `tenant/not-found`, `tenant/not-active` before the tenant is built.
 */
export async function authenticateEither(deps: AuthenticationDeps, request: Request, named: unknown): Promise<Admission> {
  const isOperators = deps.tokens.claims(bearerToken(request), await deps.issuers.operators());
  if (!isOperators) return authenticateTenantUser(deps, request, named);
  const operator = await authenticateOperator(deps, request);
  const tenantId = AnyTenantId.safeParse(named);
  if (!tenantId.success) throw new DomainError('tenant/not-found', 'There is no such tenant.');
  return admitted(async () => ({ ...(await operator.again()), tenant: await deps.directory.built(tenantId.data) }));
}

async function issuerOf({ directory, issuers }: Pick<AuthenticationDeps, 'directory' | 'issuers'>, tenantId: string): Promise<TokenIssuer> {
  try {
    return issuers.tenant((await directory.built(tenantId)).infrastructure);
  } catch (error) {
    if (codeOf(error) === 'tenant/not-found' || codeOf(error) === 'tenant/not-active') throw notValidHere();
    throw error;
  }
}

async function tokenHolder({ tokens, access }: AuthenticationDeps, owner: string, text: string, issuer: TokenIssuer): Promise<() => Promise<Caller>> {
  const token = await tokens.verify(text, issuer);
  return () => callerOf(access, { realm: 'tenant', owner }, token);
}

/** Whose token it is, with what was decided since it was minted. */
async function callerOf(access: AccessReader, { realm, owner }: { realm: Realm; owner: string }, token: VerifiedToken): Promise<Caller> {
  if (token.expiresAtMs + clockToleranceMs <= Date.now()) throw refused('it has expired');
  if ('oauthClientId' in token) return machineCaller(access, owner, token);
  const standings = await access.standings(owner, token.userId);
  const refusal = refusalOf(standings, token);
  if (refusal !== undefined) throw refused(refusal);
  return { userId: token.userId, permissions: permissionsNow(realm, token, standings.user) };
}

/** A machine client, as a user of its own. One that nobody registered is as any other client of the pool. */
async function machineCaller(access: AccessReader, owner: string, { oauthClientId, scopes }: MachineToken): Promise<Caller> {
  const [client, { everybody }] = await Promise.all([access.machineClient(owner, oauthClientId), access.standings(owner, undefined)]);
  if (!client) throw refused('it was issued to another client');
  const refusal = machineRefusalOf(client, oauthClientId, everybody, Date.now());
  if (refusal !== undefined) throw refused(refusal);
  return { userId: machineClientUser(client.clientId), permissions: machinePermissions(client, scopes) };
}

/** Who holds an API key: the key itself, as a user of its own, with no more than its creator has now. */
function keyHolder(access: AccessReader, owner: string, text: string): () => Promise<Caller> {
  const given = readApiKey(text);
  return async () => {
    const key = given && (await access.key(owner, given.keyId));
    if (!key || !sameDigest(key.digest, given.digest)) throw notValidHere();
    const creator = await access.standings(owner, key.createdBy);
    const refusal = keyRefusalOf(key, creator, Date.now());
    if (refusal !== undefined) throw refused(refusal);
    return { userId: apiKeyUser(key.keyId), permissions: keyPermissions(key, creator.user) };
  };
}

const shownToken = (request: Request): string | undefined => /^Bearer ([\w.~+/=-]+)$/i.exec(request.get('authorization') ?? '')?.[1];

export const showsToken = (request: Request): boolean => shownToken(request) !== undefined;

function bearerToken(request: Request): string {
  const token = shownToken(request);
  if (token === undefined) throw new DomainError('auth/unauthenticated', 'Send an access token: "Authorization: Bearer …".');
  return token;
}
