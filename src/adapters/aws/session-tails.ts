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

const firstOf = (tail: readonly Batch[]): number => tail[0]?.events[0]?.seq ?? 0;
const lastOf = (tail: readonly Batch[]): number => tail.at(-1)?.events.at(-1)?.seq ?? 0;
const bytesOf = (tail: readonly Batch[]): number => tail.reduce((sum, { bytes }) => sum + bytes, 0);

/** Adds what follows; begins anew with what does not, unless it is older. */
function extended(tail: readonly Batch[], batch: Batch, maxBytes: number): readonly Batch[] {
  const first = firstOf([batch]);
  if (lastOf([batch]) <= lastOf(tail)) return tail;
  if (first !== lastOf(tail) + 1) return [batch];
  const longer = [...tail, batch];
  return bytesOf(longer) > maxBytes ? longer.slice(Math.ceil(longer.length / 2)) : longer;
}

export function createSessionTails({ maxBytes }: { maxBytes: number }): SessionTails {
  const maxTailBytes = maxBytes / 16;
  const tails = new LRUCache<string, readonly Batch[]>({ maxSize: maxBytes, sizeCalculation: (tail) => bytesOf(tail) + 1, ttl: idleMs, updateAgeOnGet: true });
  const keyOf = ({ tenantId, sessionId }: SessionRef) => `${tenantId}/${sessionId}`;

  return {
    add(session, batch) {
      tails.set(keyOf(session), extended(tails.get(keyOf(session)) ?? [], batch, maxTailBytes));
    },
    between(session, after, upTo) {
      if (upTo <= after) return [];
      const tail = tails.get(keyOf(session)) ?? [];
      if (tail.length === 0 || firstOf(tail) > after + 1 || lastOf(tail) < upTo) return undefined;
      return tail.flatMap(({ events }) => events.filter(({ seq }) => seq > after && seq <= upTo));
    },
    following(session, after) {
      const tail = tails.get(keyOf(session)) ?? [];
      const next = tail.findIndex((batch) => firstOf([batch]) === after + 1);
      return next < 0 ? [] : tail.slice(next);
    },
  };
}
