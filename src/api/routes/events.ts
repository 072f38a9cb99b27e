import { z } from 'zod';
import { parseCursor, SessionEvent } from '../../contracts/events';
import type { LiveEvents } from '../../ports/live-events';
import type { SessionLog } from '../../ports/session-store';
import type { Conversations } from '../conversations';
import { InvalidRequest } from '../problem';
import { tenantRoute, type Route } from '../route';
import { sessionFeed } from '../session-feed';
import { pageOf } from './paging';
import { SessionPath } from './sessions';

const Range = z.object({ after: z.string().max(32).optional(), limit: z.coerce.number().int().min(1).max(500).default(100) });

export interface EventRoutesDeps {
  readonly conversations: Conversations;
  readonly log: SessionLog;
  readonly live: LiveEvents;
}

export const eventRoutes = ({ conversations, log, live }: EventRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/events',
    summary: 'Read the log of a session from a cursor on: a page, or with Accept: text/event-stream as it grows',
    permission: 'read:session',
    params: SessionPath,
    query: Range,
    response: pageOf(SessionEvent),
    status: 200,
    otherStatuses: { 204: 'The session is closed and nothing comes after the cursor (only as a stream)' },
    streams: true,
    async handle({ params, query: { after, limit }, caller, header, wantsEvents, signal }) {
      await conversations.mustRead(params, caller);
      // A browser that reconnects sends the header; it knows better than the address it started from.
      const cursor = cursorFrom(header('last-event-id') ?? after);
      if (!wantsEvents) {
        const data = (await log.read(params, { after: cursor.seq, limit })).slice(0, limit);
        const last = data.at(-1);
        return { body: { data, ...(last && data.length === limit && { nextCursor: String(last.seq) }) } };
      }
      const { closedAt } = await conversations.record(params);
      const isAtEnd = closedAt !== undefined && (await log.read(params, { after: cursor.seq, limit: 1 })).length === 0;
      // 204 tells an EventSource not to come back.
      return isAtEnd ? { status: 204 } : { events: sessionFeed({ session: params, cursor, log, live, signal }) };
    },
  }),
];

function cursorFrom(text: string | undefined): { seq: number; n: number } {
  const cursor = parseCursor(text ?? '0');
  if (!cursor) throw new InvalidRequest([{ path: 'query.after', message: 'a cursor is the id of an event, such as 12 or 12.7' }]);
  return cursor;
}
