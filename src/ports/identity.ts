import type { SignIn } from '../contracts/sign-in';

/** Where the tokens of one user pool come from. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Any of them; the first is the one to sign in with. */
  readonly clientIds: readonly string[];
}

export interface VerifiedToken {
  /** Cognito `sub`. */
  readonly userId: string;
  readonly groups: readonly string[];
  readonly expiresAtMs: number;
  /** When it was minted. */
  readonly issuedAtMs: number;
  /** When the user signed in: a token that was renewed keeps this, where the pool says it. */
  readonly signedInAtMs: number;
}

/** Checks access tokens of Cognito pools. */
export interface TokenVerifier {
  /**
   * RS256 signature by the issuer's JWKS, issuer, client, token_use `access`, expiry, not-before, not minted in the future.
   * @throws DomainError `auth/unauthenticated` (says why, never more), `dependency/unavailable` when the keys can't be fetched.
   */
  verify(token: string, issuer: TokenIssuer): Promise<VerifiedToken>;
  /** Whether the token says that it comes from there. Nothing is proven by it: it only tells whose keys to try. */
  claims(token: string, issuer: TokenIssuer): boolean;
}

/** Tells clients that hold no token yet where to get one. */
export interface SignInPlaces {
  tenant(pool: { userPoolId: string; userPoolClientId: string }): SignIn;
  /** @throws DomainError `dependency/unavailable` before the platform's bootstrap has run. */
  operators(): Promise<SignIn>;
}

/** Signs operators in where they have a browser and nothing else. */
export interface OperatorSignIn {
  /** @returns the token, and until when it is good (ISO 8601). @throws DomainError `auth/unauthenticated` when e-mail or password are wrong; `dependency/unavailable` */
  signIn(operator: { readonly email: string; readonly password: string }): Promise<{ readonly accessToken: string; readonly expiresAt: string }>;
}

export interface TokenIssuers {
  tenant(pool: { userPoolId: string; userPoolClientId: string; retiringUserPoolClientId?: string | undefined }): TokenIssuer;
  /** @throws DomainError `dependency/unavailable` before the platform's bootstrap has run. */
  operators(): Promise<TokenIssuer>;
}
