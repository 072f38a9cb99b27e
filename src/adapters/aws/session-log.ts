import { DomainError } from '../../contracts/errors';
import { type EventBody, maxBatchEvents, type SessionEvent } from '../../contracts/events';
import { tableKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { wellFormed } from '../../domain/well-formed';
import { createQueues } from '../../domain/queues';
import type { TenantCipher } from '../../ports/cipher';
import type { TenantDirectory } from '../../ports/tenant-registry';
import type { AppendInput, Appended, SessionLog } from '../../ports/session-store';
import { type BatchItem, createBatchBodies, createBatchTable, firstSeqOf, lastSeqOf, outlineOf } from './session-batches';
import { createSessionTails } from './session-tails';
import type { TenantAccess } from './tenant-access';

const tailCacheBytes = 64 * 1_024 * 1_024;

/** Batches that are asked for at once when a log is copied. */
const copiedAtATime = 100;

interface Dependencies {
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
  /** Says when a tenant's logs were replaced by those of a backup, or are those of another tenant of its id: what this process remembers of them is wrong then. */
  readonly directory?: Pick<TenantDirectory, 'built'>;
}

/** Whether this batch, which the writer has met, is an earlier attempt's. @throws DomainError `log/moved`, `turn/ended` when nothing may be written behind it. */
function isOwn({ key, onlyAtHead = false, notBehind, unless }: AppendInput, batchKey: string): boolean {
  if (batchKey === key) return true;
  if (onlyAtHead || batchKey === unless) throw new DomainError('log/moved', 'Something else was written to the log meanwhile.');
  if (batchKey === notBehind) throw new DomainError('turn/ended', 'The turn ended before this was written.');
  return false;
}

/** The log as batches chained by conditional writes, see docs/decisions/0003-session-log.md. */
export function createSessionLog({ access, cipher, directory }: Dependencies): SessionLog {
  const table = createBatchTable({ access });
  const bodies = createBatchBodies({ access, cipher });
  const tails = createSessionTails({ maxBytes: tailCacheBytes });
  const oneAtATime = createQueues();

  /** Under which the tail of a log is remembered: another one after a restore, and for a tenant that was built anew, whose pool is another one. */
  async function tailOf({ tenantId, sessionId }: SessionRef): Promise<SessionRef> {
    const tenant = await directory?.built(tenantId);
    return { tenantId: [tenantId, tenant?.infrastructure.userPoolId, tenant?.restoredAt].join('@'), sessionId };
  }

  async function remembered(session: SessionRef, item: BatchItem, eventBodies: readonly EventBody[]): Promise<SessionEvent[]> {
    const events = eventBodies.map((body, index) => ({ seq: firstSeqOf(item) + index, at: item.at, ...body }));
    // About what the texts and the objects around them take.
    tails.add(await tailOf(session), { key: item.batchKey, events, bytes: 2 * JSON.stringify(events).length + 200 * events.length });
    return events;
  }

  const open = async (session: SessionRef, item: BatchItem) => remembered(session, item, await bodies.open(session, item));

  /** @returns undefined when the place is taken. */
  async function writeAt(session: SessionRef, first: number, batchKey: string, events: readonly EventBody[]): Promise<SessionEvent[] | undefined> {
    const place = { sk: tableKeys.batch(first), batchKey };
    const item = { ...place, count: events.length, at: new Date().toISOString(), ...(await bodies.seal(session, place, events)) };
    return (await table.put(session, item)) ? remembered(session, item, events) : undefined;
  }

  async function write(session: SessionRef, input: AppendInput): Promise<Appended> {
    const { after, key, unwritten } = input;
    let { events } = input;
    for (let last = after; ; ) {
      for (const batch of tails.following(await tailOf(session), last)) {
        last = batch.events.at(-1)?.seq ?? last;
        if (isOwn(input, batch.key)) return { events: [...batch.events], head: last, repeated: true };
        if (unwritten) events = unwritten(events, batch.events);
      }
      if (events.length === 0) return { events: [], head: last, repeated: true };
      const written = await writeAt(session, last + 1, key, events);
      if (written) return { events: written, head: last + written.length, repeated: false };
      for await (const item of table.chain(session, { after: last, aligned: true })) {
        last = lastSeqOf(item);
        if (isOwn(input, item.batchKey)) return { events: await open(session, item), head: last, repeated: true };
        if (unwritten) events = unwritten(events, await open(session, item));
      }
    }
  }

  return {
    append(session, input) {
      const { length } = input.events;
      if (length < 1 || length > maxBatchEvents) return Promise.reject(new RangeError(`A batch has 1 to ${maxBatchEvents} events, not ${length}.`));
      return oneAtATime(`${session.tenantId}/${session.sessionId}`, () => write(session, { ...input, events: wellFormed(input.events) }));
    },

    async find(session, { after, key }) {
      for await (const item of table.chain(session, { after, aligned: true })) if (item.batchKey === key) return open(session, item);
      return undefined;
    },

    async last(session) {
      const item = await table.last(session);
      return item && { seq: lastSeqOf(item), at: item.at };
    },

    async copy(from, to, { upTo, onBatch }) {
      for await (const copied of table.chain(from, { after: 0, upTo, aligned: true, atATime: copiedAtATime })) {
        const { sk, batchKey, count, at } = copied;
        const place = { sk, batchKey, count, at };
        const events = await bodies.open(from, copied);
        onBatch?.(events);
        // Whoever copies this batch writes the same: its object can have one name.
        const item = { ...place, ...(await bodies.seal(to, place, events, 'copy')) };
        if (await table.put(to, item)) continue;
        for await (const there of table.chain(to, { after: firstSeqOf(item) - 1, upTo: firstSeqOf(item), aligned: true }))
          if (there.batchKey !== batchKey || there.at !== at) throw new DomainError('session/exists', `There is a session ${to.sessionId} already.`);
      }
    },

    outline: (session) => outlineOf({ access }, session),

    async read(session, { after, upTo = Infinity, limit = Infinity }) {
      const known = Number.isFinite(upTo) ? tails.between(await tailOf(session), after, upTo) : undefined;
      if (known) return limit < known.length ? known.slice(0, limit) : known;
      const found: SessionEvent[] = [];
      // A batch holds one event at least: a reader of a page pays for no more than it may get.
      const atATime = Number.isFinite(limit) ? Math.max(1, limit) : undefined;
      for await (const item of table.chain(session, { after, upTo: Number.isFinite(upTo) ? upTo : undefined, aligned: false, atATime })) {
        const events = await open(session, item);
        found.push(...events.filter(({ seq }) => seq > after && seq <= upTo));
        if (found.length >= limit) break;
      }
      return found;
    },
  };
}
