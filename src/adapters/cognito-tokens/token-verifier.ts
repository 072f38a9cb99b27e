import { createRemoteJWKSet, customFetch, decodeJwt, errors as joseErrors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { clockToleranceMs } from '../../domain/admission';
import type { TokenVerifier } from '../../ports/identity';

/** Unknown key ids make us ask again, but not more often than this: anybody can make one up. */
const cooldownMs = 10_000;
/** A key that the pool withdrew is taken for so long at most. */
const maxKeyAgeMs = 600_000;
/** After a failure the pool is let alone for so long: refused requests must not keep asking in its stead. */
const pauseAfterFailureMs = 500;
const jwksTimeoutMs = 2_000;
/** Cognito's have 1 to 2 KB; a user of a hundred groups has 5. */
const maxTokenCharacters = 8_192;
const maxIssuers = 10_000;

/** What Cognito puts into an access token. @see https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html */
const AccessToken = z.object({
  sub: z.string().min(1),
  client_id: z.string(),
  token_use: z.literal('access'),
  exp: z.number(),
  iat: z.number(),
  auth_time: z.number().optional(),
  scope: z.string().default(''),
  'cognito:groups': z.array(z.string()).default([]),
});

export interface TokenVerifierOptions {
  /** Least time between two looks for a key the pool did not have. */
  readonly cooldownMs?: number;
  /** Age at which the pool's keys are read anew. */
  readonly maxKeyAgeMs?: number;
  readonly pauseAfterFailureMs?: number;
}

/** Verifies access tokens of Cognito pools with each pool's own keys. */
export function createTokenVerifier(options: TokenVerifierOptions = {}): TokenVerifier {
  const settings = { cooldownDuration: options.cooldownMs ?? cooldownMs, cacheMaxAge: options.maxKeyAgeMs ?? maxKeyAgeMs, timeoutDuration: jwksTimeoutMs };
  const keySets = new LRUCache<string, ReturnType<typeof createRemoteJWKSet>>({
    max: maxIssuers,
    memoMethod: (url) => createRemoteJWKSet(new URL(url), { ...settings, [customFetch]: pausingAfterFailure(options.pauseAfterFailureMs ?? pauseAfterFailureMs) }),
  });

  return {
    claims(token, { issuer }) {
      try {
        return decodeJwt(token).iss === issuer;
      } catch {
        return false;
      }
    },

    async verify(token, { issuer, jwksUrl, clientIds, hasMachineClients = false }) {
      const payload = await verified(token, keySets.memo(jwksUrl), issuer);
      const claims = AccessToken.safeParse(payload);
      if (!claims.success) throw unauthenticated('it is not an access token');
      const { sub, client_id: clientId, exp, iat, auth_time: signedIn = iat, 'cognito:groups': groups, scope } = claims.data;
      const times = { expiresAtMs: exp * 1_000, issuedAtMs: iat * 1_000, signedInAtMs: Math.min(iat, signedIn) * 1_000 };
      if (clientIds.includes(clientId)) return { userId: sub, groups, ...times };
      // A token in a client's own name has its id for a subject: a user who came through that client has another.
      if (!hasMachineClients || sub !== clientId) throw unauthenticated('it was issued to another client');
      return { oauthClientId: clientId, scopes: scope.split(' '), ...times };
    },
  };
}

/** Asks as `fetch` does, and for a moment after a failure not at all. */
function pausingAfterFailure(pauseMs: number): typeof fetch {
  let failedAtMs = -Infinity;
  return async (...request) => {
    if (performance.now() - failedAtMs < pauseMs) throw new TypeError('The keys could not be read a moment ago.');
    try {
      const response = await fetch(...request);
      if (!response.ok) failedAtMs = performance.now();
      return response;
    } catch (error) {
      failedAtMs = performance.now();
      throw error;
    }
  };
}

async function verified(token: string, keys: ReturnType<typeof createRemoteJWKSet>, issuer: string): Promise<JWTPayload> {
  if (token.length > maxTokenCharacters) throw unauthenticated('it is not valid here');
  try {
    const { payload } = await jwtVerify(token, keys, { algorithms: ['RS256'], issuer, clockTolerance: clockToleranceMs / 1_000, requiredClaims: ['exp', 'iat', 'sub'] });
    if ((payload.iat ?? 0) * 1_000 > Date.now() + clockToleranceMs) throw unauthenticated('it is not valid here');
    return payload;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    if (error instanceof joseErrors.JWTExpired) throw unauthenticated('it has expired', error);
    if (error instanceof joseErrors.JOSEError && !isOfKeySet(error)) throw unauthenticated('it is not valid here', error);
    throw new DomainError('dependency/unavailable', 'The keys of the user pool cannot be read. Try again.', { cause: error, retryAfterSeconds: 1 });
  }
}

/** Not the token's fault. The generic error is what jose throws when the key set answers with anything but 200 and JSON. */
const isOfKeySet = (error: joseErrors.JOSEError): boolean =>
  error instanceof joseErrors.JWKSTimeout || error instanceof joseErrors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC';

const unauthenticated = (reason: string, cause?: unknown) => new DomainError('auth/unauthenticated', `The access token was refused: ${reason}. Sign in again.`, { cause });
