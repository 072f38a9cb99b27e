import { z } from 'zod';
import { cursorPattern, parseCursor, SessionEvent } from '../../contracts/events';
import type { SessionRef } from '../../contracts/session';
import type { LiveEvents } from '../../ports/live-events';
import type { SessionLog } from '../../ports/session-store';
import type { Conversations } from '../conversations';
import { InvalidRequest } from '../problem';
import { tenantRoute, type Route } from '../route';
import { mustHaveEvent, sessionFeed } from '../session-feed';
import { pageOf } from './paging';
import { SessionPath } from './paths';
import { queryInteger } from '../query-values';

const badCursor = 'a cursor is the id of an event, such as 12 or 12.7';

const Range = z.object({
  after: z.string().regex(cursorPattern, badCursor).optional(),
  limit: queryInteger({ min: 1, max: 500 }).default(100),
  format: z.enum(['page', 'jsonl']).optional().describe('`jsonl`: all there is behind the cursor, a line of JSON each, however long; Accept: application/jsonl asks for the same'),
});

const linesType = 'application/jsonl';
/** Events that are held at once while a log is exported. */
const exportedAtOnce = 200;

export interface EventRoutesDeps {
  readonly conversations: Conversations;
  readonly log: SessionLog;
  readonly live: LiveEvents;
}

export const eventRoutes = ({ conversations, log, live }: EventRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/events',
    summary: 'Read the log of a session from a cursor on: a page, all of it as JSON Lines, or with Accept: text/event-stream as it grows',
    permission: 'read:session',
    params: SessionPath,
    query: Range,
    response: pageOf(SessionEvent),
    status: 200,
    otherStatuses: { 204: 'The session is closed and nothing comes after the cursor (only as a stream)' },
    streams: true,
    hasLines: true,
    async handle({ params, query: { after, limit, format }, caller, header, wantsEvents, signal }) {
      await conversations.mustRead(params, caller);
      // A browser that reconnects sends the header; it knows better than the address it started from.
      const cursor = cursorFrom(header('last-event-id') ?? after);
      if (format === 'jsonl' || (format === undefined && header('accept')?.includes(linesType) === true)) {
        const upTo = await mustHaveEvent(log, params, cursor);
        return { lines: exported(log, params, cursor.seq, upTo), headers: { 'Content-Disposition': `attachment; filename="session-${params.sessionId}.jsonl"` } };
      }
      if (!wantsEvents) {
        const data = (await log.read(params, { after: cursor.seq, limit })).slice(0, limit);
        const last = data.at(-1);
        if (!last) await mustHaveEvent(log, params, cursor);
        return { body: { data, ...(last && data.length === limit && { nextCursor: String(last.seq) }) } };
      }
      const { closedAt } = await conversations.record(params);
      const isAtEnd = closedAt !== undefined && (await log.read(params, { after: cursor.seq, limit: 1 })).length === 0;
      if (isAtEnd) await mustHaveEvent(log, params, cursor);
      // 204 tells an EventSource not to come back.
      return isAtEnd ? { status: 204 } : { events: sessionFeed({ session: params, cursor, log, live, signal }) };
    },
  }),
];

/** The log as it stands, from its table alone: a session of years ago, too. Whoever lacks the last line knows it by its number. */
async function* exported(log: SessionLog, session: SessionRef, after: number, upTo: number): AsyncGenerator<SessionEvent> {
  for (let last = after; last < upTo; ) {
    const events = await log.read(session, { after: last, limit: exportedAtOnce });
    for (const event of events) if (event.seq <= upTo) yield event;
    last = events.at(-1)?.seq ?? upTo;
  }
}

function cursorFrom(text: string | undefined): { seq: number; n: number } {
  const cursor = parseCursor(text ?? '0');
  if (!cursor) throw new InvalidRequest([{ path: 'Last-Event-ID', message: badCursor }]);
  return cursor;
}
