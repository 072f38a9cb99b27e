import type { JsonValue } from '../contracts/model';
import type { ToolCredential } from '../contracts/tool-source';

const replacement = '[secret]';
/** Shorter ones would be found in ordinary words. */
const minHiddenCharacters = 6;

interface Shown {
  readonly settings: { readonly credential?: ToolCredential | undefined };
  readonly secret: string | undefined;
}

/** A request that shows the secret as its source wants it; without a secret, or a place for it, the request itself. */
export function withCredential({ settings: { credential }, secret }: Shown, url: string, headers: Readonly<Record<string, string>>): { url: string; headers: Record<string, string> } {
  if (!credential || secret === undefined) return { url, headers: { ...headers } };
  const value = credential.prefix + secret;
  if (credential.in === 'header') return { url, headers: { ...headers, [credential.name.toLowerCase()]: value } };
  return { url: `${url}${url.includes('?') ? '&' : '?'}${encodeURIComponent(credential.name)}=${encodeURIComponent(value)}`, headers: { ...headers } };
}

/** An answer in which the secret does not stand: some servers answer with what they were sent. */
export function withoutSecret(value: JsonValue, secret: string | undefined): JsonValue {
  if (secret === undefined || secret.length < minHiddenCharacters) return value;
  const forms = [...new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])];
  const hidden = (text: string): string => forms.reduce((rest, form) => rest.replaceAll(form, replacement), text);
  const hide = (one: JsonValue): JsonValue => {
    if (typeof one === 'string') return hidden(one);
    if (Array.isArray(one)) return one.map(hide);
    return typeof one === 'object' && one !== null ? Object.fromEntries(Object.entries(one).map(([name, inner]) => [hidden(name), hide(inner)])) : one;
  };
  return hide(value);
}
