import type { SessionRecord } from '../contracts/session';
import type { SessionDirectory } from '../ports/session-store';

/**
 * The sessions of a tenant page by page, newest first, to the last.
 * @param page - `limit`: as many in one request. `userId`: of this user only.
 */
export async function* sessionPages(directory: SessionDirectory, tenantId: string, page: { readonly limit: number; readonly userId?: string }): AsyncGenerator<SessionRecord[]> {
  let cursor: string | undefined;
  do {
    const { sessions, nextCursor } = await directory.list(tenantId, { ...page, ...(cursor !== undefined && { cursor }) });
    yield sessions;
    cursor = nextCursor;
  } while (cursor !== undefined);
}
