import { createRemoteJWKSet, decodeJwt, errors as joseErrors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import type { TokenVerifier } from '../../ports/identity';

const clockToleranceSeconds = 5;
/** Unknown key ids make us ask again, but not more often than this: anybody can make one up. */
const cooldownMs = 10_000;
const jwksTimeoutMs = 2_000;
const maxIssuers = 10_000;

/** What Cognito puts into an access token. @see https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html */
const AccessToken = z.object({
  sub: z.string().min(1),
  client_id: z.string(),
  token_use: z.literal('access'),
  exp: z.number(),
  'cognito:groups': z.array(z.string()).default([]),
});

/** Verifies access tokens of Cognito pools with each pool's own keys. */
export function createTokenVerifier(): TokenVerifier {
  const keySets = new LRUCache<string, ReturnType<typeof createRemoteJWKSet>>({
    max: maxIssuers,
    memoMethod: (url) => createRemoteJWKSet(new URL(url), { cooldownDuration: cooldownMs, timeoutDuration: jwksTimeoutMs }),
  });

  return {
    claims(token, { issuer }) {
      try {
        return decodeJwt(token).iss === issuer;
      } catch {
        return false;
      }
    },

    async verify(token, { issuer, jwksUrl, clientIds }) {
      const payload = await verified(token, keySets.memo(jwksUrl), issuer);
      const claims = AccessToken.safeParse(payload);
      if (!claims.success) throw unauthenticated('it is not an access token');
      if (!clientIds.includes(claims.data.client_id)) throw unauthenticated('it was issued to another client');
      return { userId: claims.data.sub, groups: claims.data['cognito:groups'], expiresAtMs: claims.data.exp * 1_000 };
    },
  };
}

async function verified(token: string, keys: ReturnType<typeof createRemoteJWKSet>, issuer: string): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, { algorithms: ['RS256'], issuer, clockTolerance: clockToleranceSeconds, requiredClaims: ['exp', 'sub'] });
    return payload;
  } catch (error) {
    if (error instanceof joseErrors.JWTExpired) throw unauthenticated('it has expired', error);
    if (error instanceof joseErrors.JOSEError && !isOfKeySet(error)) throw unauthenticated('it is not valid here', error);
    throw new DomainError('dependency/unavailable', 'The keys of the user pool cannot be read. Try again.', { cause: error, retryAfterSeconds: 1 });
  }
}

/** Not the token's fault. The generic error is what jose throws when the key set answers with anything but 200 and JSON. */
const isOfKeySet = (error: joseErrors.JOSEError): boolean =>
  error instanceof joseErrors.JWKSTimeout || error instanceof joseErrors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC';

const unauthenticated = (reason: string, cause?: unknown) => new DomainError('auth/unauthenticated', `The access token was refused: ${reason}. Sign in again.`, { cause });
