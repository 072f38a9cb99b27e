import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { saysScopeInsufficient, scopeInsufficient, tokenRefused } from '../../domain/source-tokens';
import type { Bearer } from '../../ports/tool-sources';

/**
 * A `fetch` that shows a token. One that is not taken is replaced once: who refuses it has done nothing.
 * @throws DomainError `tool/credential-refused`, `tool/scope-insufficient`, and what `bearer` throws
 */
export function withBearer(fetch: FetchLike, bearer: Bearer | undefined): FetchLike {
  if (!bearer) return fetch;
  return async (input, init) => {
    const show = ({ value }: { value: string }) => fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers).entries()), authorization: `Bearer ${value}` } });
    const first = await bearer();
    let response = await show(first);
    if (response.status === 401) {
      await response.body?.cancel();
      const second = await bearer(first.value);
      response = await show(second);
      if (response.status === 401) throw tokenRefused(new URL(String(input)).origin, second);
    }
    if (saysScopeInsufficient(response.status, response.headers.get('www-authenticate'))) throw scopeInsufficient(new URL(String(input)).origin);
    return response;
  };
}
