import type { Request } from 'express';
import { codeOf, DomainError } from '../contracts/errors';
import { operatorCookie } from '../contracts/names';
import { AnyTenantId, TenantId, type ServedTenant } from '../contracts/tenant';
import { permissionsOf, type Realm } from '../domain/permissions';
import type { TokenIssuer, TokenIssuers, TokenVerifier } from '../ports/identity';
import type { TenantDirectory } from '../ports/tenant-registry';
import type { Caller } from './route';

export interface AuthenticationDeps {
  readonly directory: TenantDirectory;
  readonly issuers: TokenIssuers;
  readonly tokens: TokenVerifier;
}

/** A stranger learns nothing: a tenant that does not exist refuses a token with the same words as one that did not issue it. */
const notValidHere = () => new DomainError('auth/unauthenticated', 'The access token was refused: it is not valid here. Sign in again.');

/**
 * @param cookieFrom - whose pages may send the sign-in's cookie in place of a token; nobody's by default.
 * @throws DomainError `auth/unauthenticated`
 */
export async function authenticateOperator({ issuers, tokens }: AuthenticationDeps, request: Request, cookieFrom?: string): Promise<Caller> {
  const token = (cookieFrom !== undefined && cookieToken(request, new URL(cookieFrom).origin)) || bearerToken(request);
  return callerOf('operator', await tokens.verify(token, await issuers.operators()));
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
export async function authenticateTenantUser(
  { directory, issuers, tokens }: AuthenticationDeps,
  request: Request,
  named: unknown,
): Promise<{ caller: Caller; tenant: ServedTenant }> {
  const token = bearerToken(request);
  const tenantId = TenantId.safeParse(named);
  if (!tenantId.success) throw notValidHere();
  const verified = await tokens.verify(token, await issuerOf({ directory, issuers }, tenantId.data));
  return { caller: callerOf('tenant', verified), tenant: await directory.served(tenantId.data) };
}

/**
 * For what a tenant's users and the operators may both see. Operators see it whatever the tenant's status.
 * @throws DomainError as the two above; to operators `tenant/not-found`, `tenant/not-active` before the tenant is built.
 */
export async function authenticateEither(deps: AuthenticationDeps, request: Request, named: unknown): Promise<{ caller: Caller; tenant: ServedTenant; realm: Realm }> {
  const isOperators = deps.tokens.claims(bearerToken(request), await deps.issuers.operators());
  if (!isOperators) return { ...(await authenticateTenantUser(deps, request, named)), realm: 'tenant' };
  const caller = await authenticateOperator(deps, request);
  const tenantId = AnyTenantId.safeParse(named);
  if (!tenantId.success) throw new DomainError('tenant/not-found', 'There is no such tenant.');
  return { caller, tenant: await deps.directory.built(tenantId.data), realm: 'operator' };
}

async function issuerOf({ directory, issuers }: Pick<AuthenticationDeps, 'directory' | 'issuers'>, tenantId: string): Promise<TokenIssuer> {
  try {
    return issuers.tenant((await directory.built(tenantId)).infrastructure);
  } catch (error) {
    if (codeOf(error) === 'tenant/not-found' || codeOf(error) === 'tenant/not-active') throw notValidHere();
    throw error;
  }
}

const callerOf = (realm: 'tenant' | 'operator', { userId, groups }: { userId: string; groups: readonly string[] }): Caller => ({
  userId,
  permissions: permissionsOf(realm, groups),
});

function bearerToken(request: Request): string {
  const [, token] = /^Bearer ([\w.~+/=-]+)$/i.exec(request.get('authorization') ?? '') ?? [];
  if (token === undefined) throw new DomainError('auth/unauthenticated', 'Send an access token: "Authorization: Bearer …".');
  return token;
}
