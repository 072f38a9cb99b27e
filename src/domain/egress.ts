/** Whether a tenant's agent may call this address. @param allowedOrigins - such as `https://api.example.com` */
export const isAllowedOrigin = (allowedOrigins: readonly string[], url: string): boolean =>
  allowedOrigins.some((allowed) => new URL(allowed).origin === new URL(url).origin);

/**
 * What keeps an entry of an agent's origins from meaning what it seems to: a path would not be looked at, and no address fits a pattern.
 * @returns in words, with what to write instead; undefined for an origin.
 */
export function originProblem(origin: string): string | undefined {
  const { protocol, host, hostname, username, password, pathname, search, hash } = new URL(origin);
  if (protocol !== 'http:' && protocol !== 'https:') return `${protocol}// cannot be called, only http:// and https://`;
  if (hostname.includes('*')) return `${host} is a pattern, which no address fits: name each host`;
  if (username !== '' || password !== '' || pathname !== '/' || search !== '' || hash !== '') return `an origin is scheme, host and port: write ${protocol}//${host}, all of which can then be called`;
  return undefined;
}
