import { discoverAuthorizationServerMetadata, discoverOAuthProtectedResourceMetadata, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import { checkResourceAllowed } from '@modelcontextprotocol/sdk/shared/auth-utils.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { DomainError } from '../../contracts/errors';
import { isAllowedOrigin } from '../../domain/egress';
import { isConfidential } from '../../domain/source-tokens';
import type { HttpCaller } from '../../ports/http-caller';
import { askIssuer } from './token-request';

/** How a source's tokens are asked for. */
export interface Issuer {
  readonly endpoint: string;
  /** Who describes it. */
  readonly server: string | undefined;
  readonly resource: string | undefined;
  /** What the server asks for. */
  readonly scope: string | undefined;
  readonly authentication: 'basic' | 'post' | undefined;
}

interface Search {
  /** Of the MCP server. */
  readonly url: string;
  readonly issuers: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Finds who issues tokens for an MCP server, as its authorization specification says: the server's answer to a call without a token, the metadata of
 * the protected resource (RFC 9728), that of its authorization server (RFC 8414).
 * @throws DomainError `tool/no-token`, `tool/egress-refused` when it is none that may be asked; `tool/unreachable`
 * @see docs/decisions/0082-oauth-for-tool-sources.md
 */
export async function findIssuer(http: HttpCaller, { url, issuers, signal }: Search): Promise<Issuer> {
  const { origin } = new URL(url);
  const fetch = metadataFetch(http, [origin, ...issuers], signal);
  const { resourceMetadataUrl, scope } = await challengeOf(http, url, signal);
  const resource = await described(`${origin} does not say who issues tokens for it: set oauth.tokenEndpoint.`, () =>
    discoverOAuthProtectedResourceMetadata(url, { ...(resourceMetadataUrl && { resourceMetadataUrl }) }, fetch),
  );
  if (!checkResourceAllowed({ requestedResource: url, configuredResource: resource.resource })) throw noToken(`${origin} describes another server than ${url}: a token for that could be used there.`);
  const issuer = issuerAmong(resource.authorization_servers ?? [], issuers, origin);
  const server = await described(`${issuer} does not describe how it issues tokens: set oauth.tokenEndpoint.`, () => discoverAuthorizationServerMetadata(issuer, { fetchFn: fetch }));
  if (withoutSlash(server?.issuer ?? '') !== withoutSlash(issuer)) throw noToken(`${issuer} says that it is another: set oauth.tokenEndpoint.`);
  return { endpoint: server?.token_endpoint ?? '', server: issuer, resource: resource.resource, scope, authentication: authenticationAmong(server?.token_endpoint_auth_methods_supported) };
}

/** @throws DomainError `tool/egress-refused` */
export function mustBeIssuer(url: string, issuers: readonly string[]): void {
  const { origin } = new URL(url);
  if (!isConfidential(origin)) throw new DomainError('tool/egress-refused', `${origin} would be shown a secret without encryption: tokens are asked for by https.`);
  if (!isAllowedOrigin(issuers, url)) throw refusedIssuer(origin);
}

const refusedIssuer = (names: string): DomainError =>
  new DomainError('tool/egress-refused', `${names} would issue tokens for this source, but may not be asked: it must be among the agent's allowedOrigins, and the one that the secret was set for.`);

const noToken = (message: string, cause?: unknown): DomainError => new DomainError('tool/no-token', message, { cause });

const withoutSlash = (url: string): string => url.replace(/\/$/, '');

/** What the server says when it is called without a token. One that says nothing is asked where such things stand. */
async function challengeOf(http: HttpCaller, url: string, signal: AbortSignal): Promise<ReturnType<typeof extractWWWAuthenticateParams>> {
  const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  const { challenge } = await askIssuer(http, { method: 'POST', url, headers, body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'ping' }), signal });
  return challenge === undefined ? {} : extractWWWAuthenticateParams(new Response(null, { headers: { 'www-authenticate': challenge } }));
}

/** The web's `fetch` as far as metadata is read by it: over checked connections, from these servers alone, no redirect followed. */
function metadataFetch(http: HttpCaller, origins: readonly string[], signal: AbortSignal): FetchLike {
  return async (input, init) => {
    const url = String(input);
    if (!isAllowedOrigin(origins, url)) throw refusedIssuer(new URL(url).origin);
    const { status, body, contentType } = await askIssuer(http, { method: 'GET', url, headers: Object.fromEntries(new Headers(init?.headers).entries()), signal });
    if (status === 429 || status >= 500) throw new DomainError('tool/unreachable', `${new URL(url).origin} answered ${status}.`);
    return new Response(status === 204 || status === 304 ? null : body, { status, headers: { 'content-type': contentType } });
  };
}

/** What is not ours to say is a description that cannot be read, or none. */
async function described<T>(otherwise: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw noToken(otherwise, error);
  }
}

/** The first that may be asked. */
function issuerAmong(named: readonly string[], issuers: readonly string[], origin: string): string {
  if (named.length === 0) throw noToken(`${origin} names no authorization server: set oauth.tokenEndpoint.`);
  const issuer = named.find((one) => isAllowedOrigin(issuers, one));
  if (issuer === undefined) throw refusedIssuer(named.map((one) => new URL(one).origin).slice(0, 5).join(', '));
  return issuer;
}

/** Undefined: what RFC 8414 says when nothing is said. */
function authenticationAmong(supported: readonly string[] | undefined): 'basic' | 'post' | undefined {
  if (supported === undefined || supported.includes('client_secret_basic')) return undefined;
  return supported.includes('client_secret_post') ? 'post' : undefined;
}
