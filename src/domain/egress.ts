/** Whether a tenant's agent may call this address. @param allowedOrigins - such as `https://api.example.com` */
export const isAllowedOrigin = (allowedOrigins: readonly string[], url: string): boolean =>
  allowedOrigins.some((allowed) => new URL(allowed).origin === new URL(url).origin);
