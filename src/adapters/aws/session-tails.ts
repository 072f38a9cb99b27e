import { LRUCache } from 'lru-cache';
import type { SessionEvent } from '../../contracts/events';
import type { SessionRef } from '../../contracts/session';

export interface Batch {
  /** The logical write it is. */
  readonly key: string;
  readonly events: readonly SessionEvent[];
  /** What it weighs in memory, about. */
  readonly bytes: number;
}

/**
 * The last events of the sessions this process works on. The log never changes what it holds, so what is kept here is never
 * wrong; it may only be too short, and then the table is asked.
 */
export interface SessionTails {
  add(session: SessionRef, batch: Batch): void;
  /** Events with `after < seq <= upTo`, if all of them are here. */
  between(session: SessionRef, after: number, upTo: number): SessionEvent[] | undefined;
  /** What is known to follow: the batch that begins right behind `after`, and those behind it. */
  following(session: SessionRef, after: number): readonly Batch[];
}

/** Long enough for a conversation; a tenant that leaves is forgotten by then. */
const idleMs = 10 * 60_000;

/** The end of a log, without a gap. */
interface Tail {
  readonly batches: readonly Batch[];
  readonly bytes: number;
}

const nothing: Tail = { batches: [], bytes: 0 };
const tailFrom = (batches: readonly Batch[]): Tail => ({ batches, bytes: batches.reduce((sum, { bytes }) => sum + bytes, 0) });

const firstOf = (batch: Batch | undefined): number => batch?.events[0]?.seq ?? 0;
const lastOf = (batch: Batch | undefined): number => batch?.events.at(-1)?.seq ?? 0;

/** Adds what follows; begins anew with what does not, unless it is older. */
function extended(tail: Tail, batch: Batch, maxBytes: number): Tail {
  const last = lastOf(tail.batches.at(-1));
  if (lastOf(batch) <= last) return tail;
  if (firstOf(batch) !== last + 1) return tailFrom([batch]);
  const longer = { batches: [...tail.batches, batch], bytes: tail.bytes + batch.bytes };
  return longer.bytes > maxBytes ? tailFrom(longer.batches.slice(Math.floor(longer.batches.length / 2))) : longer;
}

/** What holds events behind `after`. Looked for from the end, where nearly everybody reads: sessions can be long. */
const batchesBehind = ({ batches }: Tail, after: number): readonly Batch[] => batches.slice(batches.findLastIndex((batch) => lastOf(batch) <= after) + 1);

export function createSessionTails({ maxBytes }: { maxBytes: number }): SessionTails {
  const maxTailBytes = maxBytes / 16;
  const tails = new LRUCache<string, Tail>({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => bytes + 1, ttl: idleMs, updateAgeOnGet: true });
  const keyOf = ({ tenantId, sessionId }: SessionRef) => `${tenantId}/${sessionId}`;
  const tailOf = (session: SessionRef): Tail => tails.get(keyOf(session)) ?? nothing;

  return {
    add(session, batch) {
      tails.set(keyOf(session), extended(tailOf(session), batch, maxTailBytes));
    },
    between(session, after, upTo) {
      if (upTo <= after) return [];
      const tail = tailOf(session);
      const behind = batchesBehind(tail, after);
      if (behind.length === 0 || firstOf(behind[0]) > after + 1 || lastOf(tail.batches.at(-1)) < upTo) return undefined;
      return behind.flatMap(({ events }) => events.filter(({ seq }) => seq > after && seq <= upTo));
    },
    following(session, after) {
      const behind = batchesBehind(tailOf(session), after);
      return firstOf(behind[0]) === after + 1 ? behind : [];
    },
  };
}
