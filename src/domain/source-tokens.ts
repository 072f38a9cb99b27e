import { DomainError, type ErrorCode } from '../contracts/errors';

/** A token is given up this long before it expires, or a tenth of its time when that is less: it must arrive while it is good. */
const maxMarginMs = 60_000;
/** Of a token whose issuer does not say how long it is good. */
const unknownLifeSeconds = 300;
const maxLifeSeconds = 86_400;

/** How long a token is kept. @param expiresInSeconds - as its issuer says */
export function keepTokenForMs(expiresInSeconds: number = unknownLifeSeconds): number {
  const lifeMs = Math.min(Math.max(expiresInSeconds, 0), maxLifeSeconds) * 1_000;
  return Math.max(1, Math.floor(lifeMs - Math.min(maxMarginMs, lifeMs / 10)));
}

interface TokenAsk {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string | undefined;
  readonly resource: string | undefined;
}

/** Errors of RFC 6749 and RFC 8707 that a tenant's administrator can put right, in our own words: an issuer's might repeat what it was sent. */
const refusals: Readonly<Record<string, readonly [ErrorCode, (ask: TokenAsk) => string]>> = {
  invalid_client: ['tool/credential-refused', ({ issuer, clientId }) => `${issuer} does not take client ${clientId} with this secret.`],
  unauthorized_client: ['tool/credential-refused', ({ issuer, clientId }) => `${issuer} gives client ${clientId} no tokens for itself (client credentials).`],
  unsupported_grant_type: ['tool/credential-refused', ({ issuer }) => `${issuer} gives clients no tokens for themselves (client credentials).`],
  invalid_target: ['tool/credential-refused', ({ issuer, clientId, resource }) => `${issuer} gives client ${clientId} no tokens for ${resource ?? 'this server'}.`],
  invalid_scope: ['tool/scope-insufficient', ({ issuer, clientId, scope }) => `${issuer} does not give client ${clientId} the scopes "${scope ?? ''}".`],
};

const passing: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

/** What an answer without a token comes to. @param error - of RFC 6749, as the issuer wrote it; undefined: it wrote none. */
export function tokenRefusal(status: number, error: string | undefined, ask: TokenAsk): DomainError {
  if (status === 429 || status >= 500 || passing.has(error ?? '')) return new DomainError('tool/unreachable', `${ask.issuer} issues no tokens just now.`);
  const known = Object.hasOwn(refusals, error ?? '') ? refusals[error ?? ''] : status === 401 ? refusals['invalid_client'] : undefined;
  if (known) return new DomainError(known[0], known[1](ask));
  return new DomainError('tool/no-token', `${ask.issuer} answered ${status} where tokens should be issued${isPlainCode(error) ? `: ${error}` : ''}.`);
}

const isPlainCode = (error: string | undefined): error is string => error !== undefined && /^[a-z_]{1,64}$/.test(error);

/** Whether a server says that a token allows too little (RFC 6750). @param challenge - its header `www-authenticate` */
export const saysScopeInsufficient = (status: number, challenge: string | null | undefined): boolean => status === 403 && /\berror="?insufficient_scope\b/.test(challenge ?? '');

export const scopeInsufficient = (origin: string): DomainError => new DomainError('tool/scope-insufficient', `${origin} asks for more scopes than the token of this source has: set them in oauth.scopes.`);

/** After a second token, too. */
export const tokenRefused = (origin: string, { issuers }: { readonly issuers: readonly string[] }): DomainError =>
  new DomainError('tool/credential-refused', `${origin} does not take the tokens that ${issuers.at(-1) ?? 'anybody'} issues for this source.`);

const loopback: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** What an authorization server is shown is shown to nobody on the way. @param origin - without user and path */
export const isConfidential = (origin: string): boolean => origin.startsWith('https://') || loopback.has(/^http:\/\/([^/]*?)(?::\d+)?$/.exec(origin)?.[1] ?? '');

/** What a tenant's administrator must put right, whoever hears of it first. */
export const isForAdministrator = (code: ErrorCode | undefined): boolean => code === 'tool/credential-refused' || code === 'tool/scope-insufficient' || code === 'tool/no-token';
