import type { PoolOfClients } from '../contracts/access';
import type { SignIn } from '../contracts/sign-in';

/** Where the tokens of one user pool come from. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Any of them; the first is the one to sign in with. */
  readonly clientIds: readonly string[];
  /** Whether it gives tokens to programs, too, whose clients are not among these. */
  readonly hasMachineClients?: boolean;
}

interface TokenTimes {
  readonly expiresAtMs: number;
  /** When it was minted. */
  readonly issuedAtMs: number;
  /** When the user signed in: a token that was renewed keeps this, where the pool says it. */
  readonly signedInAtMs: number;
}

/** A token of somebody who signed in. */
export interface UserToken extends TokenTimes {
  /** Cognito `sub`. */
  readonly userId: string;
  readonly groups: readonly string[];
}

/** A token that a client got in its own name. Which clients there are, and what they may do, is for others to say. */
export interface MachineToken extends TokenTimes {
  readonly oauthClientId: string;
  readonly scopes: readonly string[];
}

export type VerifiedToken = UserToken | MachineToken;

/** Checks access tokens of Cognito pools. */
export interface TokenVerifier {
  /**
   * RS256 signature by the issuer's JWKS, issuer, client, token_use `access`, expiry, not-before, not minted in the future. Where the issuer
   * has machine clients, a client that is none of its own comes back as a {@link MachineToken}, if the token is in that client's own name.
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

/** App clients of a pool that get tokens by client credentials. */
export interface MachineClients {
  /**
   * Makes an app client with a secret of its own, and what the pool needs to give it tokens: a domain, and scopes for all that can be given.
   * It may ask for any of these: what it may do is not Cognito's to say.
   * @throws DomainError `dependency/unavailable`
   */
  create(userPoolId: string, client: { readonly name: string }): Promise<{ readonly oauthClientId: string; readonly secret: string; readonly tokenUrl: string }>;
  /** Fine when it is gone. */
  delete(userPoolId: string, oauthClientId: string): Promise<void>;
  /** No secret is asked for. @returns undefined when there is no such pool. */
  look(userPoolId: string): Promise<PoolOfClients | undefined>;
  /** Makes the pool's scopes those for all that can be given today. */
  offerScopes(userPoolId: string): Promise<void>;
}
