import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DomainError } from '../../contracts/errors';
import type { OAuthClient } from '../../contracts/tool-source';
import { isAllowedOrigin } from '../../domain/egress';
import { keepTokenForMs } from '../../domain/source-tokens';
import { mayShowSecret } from '../../domain/source-tools';
import type { HttpCaller } from '../../ports/http-caller';
import type { CredentialOwner, CredentialUse, IssuedToken, SourceCredentials, ToolSecrets } from '../../ports/tool-sources';
import { findIssuer, type Issuer, mustBeIssuer } from './authorization-server';
import { requestToken } from './token-request';

/** From the first question to the token. */
const tokenWithinMs = 10_000;
const maxTokens = 5_000;

interface Ask {
  readonly tenantId: string;
  readonly source: CredentialOwner;
  readonly client: OAuthClient;
  readonly use: CredentialUse;
}

/** Secrets from the tenant's store, and tokens that are got with them: kept in this process, one request for all that want the same at once. */
export function createSourceCredentials({ http, secrets }: { http: HttpCaller; secrets: ToolSecrets }): SourceCredentials {
  const tokens = new LRUCache<string, IssuedToken, Ask>({
    max: maxTokens,
    async fetchMethod(_key, _stale, { options, context }) {
      const { token, expiresInSeconds } = await issue(context);
      options.ttl = keepTokenForMs(expiresInSeconds);
      return token;
    },
  });

  async function secretOf(tenantId: string, source: CredentialOwner): Promise<string> {
    const secret = await secrets.get(tenantId, source);
    if (secret === undefined) throw new DomainError('tool/credential-refused', `There is no secret of source ${source.name} for its servers as they are now: set it anew.`);
    return secret;
  }

  async function issue({ tenantId, source, client, use }: Ask): Promise<{ token: IssuedToken; expiresInSeconds: number | undefined }> {
    const signal = AbortSignal.timeout(tokenWithinMs);
    const issuer = await issuerOf(http, source, client, use, signal);
    mustBeIssuer(issuer.endpoint, use.issuers);
    const secret = use.secret ?? (await secretOf(tenantId, source));
    const asked = { endpoint: issuer.endpoint, client, secret, scope: client.scopes?.join(' ') ?? issuer.scope, resource: client.resource ?? issuer.resource, authentication: client.authentication ?? issuer.authentication ?? 'basic' };
    const { value, expiresInSeconds } = await requestToken(http, asked, signal);
    const issuers = [issuer.server, issuer.endpoint].flatMap((url) => (url === undefined ? [] : [new URL(url).origin]));
    return { token: { value, issuers: [...new Set(issuers)] }, expiresInSeconds };
  }

  async function token(ask: Ask, refused: string | undefined): Promise<IssuedToken> {
    mustBeTarget(ask);
    const key = keyOf(ask);
    if (refused !== undefined && tokens.peek(key)?.value === refused) tokens.delete(key);
    return tokens.forceFetch(key, { context: ask });
  }

  return {
    async of(tenantId, source, use) {
      const { oauth: client } = source.settings;
      if (client) {
        const ask = { tenantId, source, client, use: { ...use, issuers: use.secret === undefined ? use.issuers.filter((origin) => isAllowedOrigin(source.secretOrigins, origin)) : use.issuers } };
        return { secret: undefined, bearer: (refused) => token(ask, refused) };
      }
      if (use.secret !== undefined) return { secret: use.secret };
      return { secret: use.url !== undefined && mayShowSecret(source, use.url) ? await secretOf(tenantId, source) : undefined };
    },
  };
}

async function issuerOf(http: HttpCaller, { settings, listing }: CredentialOwner, client: OAuthClient, { issuers }: CredentialUse, signal: AbortSignal): Promise<Issuer> {
  const isMcp = settings.kind === 'mcp';
  const endpoint = client.tokenEndpoint ?? (isMcp ? undefined : listing?.tokenEndpoint);
  if (endpoint !== undefined) return { endpoint, server: undefined, resource: isMcp ? settings.url : undefined, scope: undefined, authentication: undefined };
  if (!isMcp) throw new DomainError('tool/no-token', 'The document does not say where tokens are issued: set oauth.tokenEndpoint.');
  return findIssuer(http, { url: settings.url, issuers, signal });
}

/** A token goes only where those were meant to go that are got with this secret. */
function mustBeTarget({ source: { secretOrigins, tokenOrigins = [] }, use: { url, secret } }: Ask): void {
  if (secret !== undefined) return;
  if (secretOrigins.length === 0) throw new DomainError('tool/credential-refused', "Nobody has set the secret of this source's client.");
  if (url !== undefined && !mayShowSecret({ secretOrigins: tokenOrigins }, url)) throw new DomainError('tool/credential-refused', `The secret of this source was set for other servers than ${new URL(url).origin}: set it anew.`);
}

/** Whoever may ask others, or asks for another, has a token of its own. */
const keyOf = ({ tenantId, source: { name, settings, listing }, use: { issuers, secret } }: Ask): string =>
  JSON.stringify([tenantId, name, settings, listing?.tokenEndpoint, issuers, secret !== undefined && createHash('sha256').update(secret).digest('base64')]);
