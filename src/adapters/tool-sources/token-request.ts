import { z } from 'zod';
import { codeOf, DomainError } from '../../contracts/errors';
import type { OAuthClient } from '../../contracts/tool-source';
import { tokenRefusal } from '../../domain/source-tokens';
import type { HttpAnswer, HttpCall, HttpCaller } from '../../ports/http-caller';

const attemptMs = 5_000;
const maxResponseBytes = 65_536;

const Token = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  token_type: z.string().regex(/^bearer$/i),
  // Some write it as text.
  expires_in: z.coerce.number().optional(),
});
const Refusal = z.object({ error: z.string() });

export interface TokenRequest {
  readonly endpoint: string;
  readonly client: OAuthClient;
  readonly secret: string;
  readonly scope: string | undefined;
  readonly resource: string | undefined;
  readonly authentication: 'basic' | 'post';
}

/** Calls an authorization server. @throws DomainError `tool/unreachable` in place of `tool/failed`: of what the source does nothing has happened. */
export async function askIssuer(http: HttpCaller, call: Pick<HttpCall, 'method' | 'url' | 'headers' | 'body' | 'signal'>): Promise<HttpAnswer> {
  const { origin } = new URL(call.url);
  try {
    const answer = await http.call({ ...call, timeoutMs: attemptMs, maxResponseBytes });
    if (answer.isCut) throw new DomainError('tool/no-token', `${origin} answered more than ${maxResponseBytes} bytes.`);
    return answer;
  } catch (error) {
    if (error instanceof DomainError && codeOf(error) !== 'tool/failed') throw error;
    throw new DomainError('tool/unreachable', `${origin} gave no answer.`, { cause: error });
  }
}

/**
 * Asks for a token for the client itself (RFC 6749, 4.4).
 * @throws DomainError as a `Bearer` does; no text of the issuer's is in it.
 */
export async function requestToken(http: HttpCaller, request: TokenRequest, signal: AbortSignal): Promise<{ value: string; expiresInSeconds: number | undefined }> {
  const { endpoint, client, secret, scope, resource, authentication } = request;
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }), ...(resource !== undefined && { resource }) });
  if (authentication === 'post') form.set('client_id', client.clientId);
  if (authentication === 'post') form.set('client_secret', secret);
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    ...(authentication === 'basic' && { authorization: `Basic ${Buffer.from(`${formEncoded(client.clientId)}:${formEncoded(secret)}`).toString('base64')}` }),
  };
  const { status, body } = await askIssuer(http, { method: 'POST', url: endpoint, headers, body: form.toString(), signal });
  const issuer = new URL(endpoint).origin;
  if (status !== 200) throw tokenRefusal(status, Refusal.safeParse(jsonOf(body)).data?.error, { issuer, clientId: client.clientId, scope, resource });
  const token = Token.safeParse(jsonOf(body));
  if (!token.success) throw new DomainError('tool/no-token', `${issuer} answered what is no bearer token.`);
  return { value: token.data.access_token, expiresInSeconds: token.data.expires_in };
}

/** As RFC 6749, 2.3.1 asks: before both are put together. */
const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
