import type { SessionRecord } from '../contracts/session';
import { pagesOf } from '../domain/pages';
import type { SessionDirectory } from '../ports/session-store';

/**
 * The sessions of a tenant page by page, newest first, to the last.
 * @param page - `limit`: as many in one request. `userId`: of this user only.
 */
export async function* sessionPages(directory: SessionDirectory, tenantId: string, page: { readonly limit: number; readonly userId?: string }): AsyncGenerator<SessionRecord[]> {
  for await (const { sessions } of pagesOf((from) => directory.list(tenantId, { ...page, ...from }))) yield sessions;
}
