import { attachmentIdPattern, tenantIdPattern } from './names';

/**
 * What cursors of each list look like: the OpenAPI document says it, and readers take nothing else. A cursor is the sort key of a page's last item, in characters
 * that an address may hold as they are; clients give back what they were given. Of `operations`, `users` and `facts`, whose lists others keep, no pattern says
 * whether there is such a place: those lists answer `cursor/unknown`.
 */
export const cursorPatterns = {
  tenants: tenantIdPattern,
  /** A time and an id: keys of `tableKeys.listed`. */
  byTime: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{1,32}Z~[A-Za-z0-9-]{1,64}$/,
  attachments: attachmentIdPattern,
  agentVersions: /^V~[0-9]{6}$/,
  reports: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{1,32}Z$/,
  /** The number of an entry. */
  audit: /^[0-9]{1,12}$/,
  operations: /^[A-Za-z0-9_-]{6,2000}$/,
  users: /^[!-~]{1,4000}$/,
  facts: /^[!-~]{1,2048}$/,
} as const satisfies Readonly<Record<string, RegExp>>;

export type CursorOf = keyof typeof cursorPatterns;
