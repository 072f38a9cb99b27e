import { setTimeout as delay } from 'node:timers/promises';
import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { PutCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { ulid } from 'ulid';
import type { AuditEvent } from '../../../contracts/audit';
import { DomainError } from '../../../contracts/errors';
import { auditKeys } from '../../../contracts/names';
import { auditRetentionDays } from '../../../domain/audit';
import { link } from '../../audit-chain';
import { reasonsOf } from '../failures';
import { type Batch, type Head, headOf, nowSeconds, type Table, TableName } from './items';
import type { Options, Reader } from './reader';

/** In one item: some 30 KB of the 400 it may have. */
const maxBatch = 50;
/** Who waits for a write is told after this time that the log cannot be written, and sooner when the table has not answered for long. */
const writeWithinMs = 10_000;
const silentForMs = 4_000;
/** Of a head that was not written behind for longer, others may know more: one read is cheaper than to walk there. */
const headAgeMs = 60_000;
export const retentionSeconds = auditRetentionDays * 86_400;
/** The more there are who want the same place, the thinner they must come: those who lose have cost two requests. */
const backoffMs = (attempt: number): number => Math.random() * Math.min(400, 15 * 2 ** attempt);

const isTaken = (error: unknown): boolean => error instanceof ConditionalCheckFailedException || error instanceof TransactionCanceledException;

interface Waiting {
  readonly events: readonly AuditEvent[];
  readonly once: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Events of a chain that come while a write of it is under way go together in the next. */
export function createWriter(table: Table, reader: Reader) {
  const heads = new LRUCache<string, Head>({ max: 10_000, ttl: headAgeMs });
  const queues = new Map<string, Waiting[]>();

  async function append(chain: string, events: readonly AuditEvent[], once?: string): Promise<void> {
    for (let from = 0; from < events.length; from += maxBatch)
      await enqueue(chain, events.slice(from, from + maxBatch), once === undefined || from === 0 ? once : `${once}/${from}`);
  }

  async function enqueue(chain: string, events: readonly AuditEvent[], once: string | undefined): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      const queue = queues.get(chain);
      const waiting = { events, once, resolve, reject };
      if (queue) queue.push(waiting);
      else {
        queues.set(chain, [waiting]);
        // What comes in the same moment shares the write.
        queueMicrotask(() => void drain(chain));
      }
    });
    return written;
  }

  async function drain(chain: string): Promise<void> {
    const queue = queues.get(chain) ?? [];
    while (queue.length > 0) {
      const together = nextOf(queue);
      try {
        await write(chain, together);
        together.forEach(({ resolve }) => resolve());
      } catch (error) {
        together.forEach(({ reject }) => reject(error));
      }
    }
    queues.delete(chain);
  }

  /** Tries until it is written behind whatever others write. */
  async function write(chain: string, together: readonly Waiting[]): Promise<void> {
    const writeId = ulid();
    const abortSignal = AbortSignal.timeout(writeWithinMs);
    const events = together.flatMap((one) => one.events);
    let answeredAtMs = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      let tried: Head | undefined;
      try {
        tried = heads.get(chain) ?? (await reader.head(chain, { abortSignal }));
        const batch = batchBehind(tried, { chain, events, writeId });
        if ((await put(batch, chain, together[0]?.once, abortSignal)) === 'written') heads.set(chain, headOf(batch));
        return;
      } catch (error) {
        heads.delete(chain);
        if (isTaken(error)) answeredAtMs = performance.now();
        if (abortSignal.aborted || performance.now() - answeredAtMs > silentForMs) throw new DomainError('audit/unavailable', 'What is asked cannot be recorded now, and was not done. Try again later.', { cause: error });
      }
      await delay(backoffMs(attempt));
      if (tried && (await isWritten(chain, tried, writeId, { abortSignal }).catch(() => false))) return;
    }
  }

  /** Looks at what is behind the place that was tried: what is there now, and whether it is ours, its answer lost. */
  async function isWritten(chain: string, tried: Head, writeId: string, options: Options): Promise<boolean> {
    let isOurs = false;
    let head: Head | undefined;
    for await (const batch of reader.batchesBehind(chain, tried.seq, options)) {
      isOurs ||= batch.writeId === writeId;
      head = headOf(batch);
    }
    if (head) heads.set(chain, head);
    return isOurs;
  }

  /** @returns `known` when the key was used before. @throws when the place is taken, among others. */
  async function put(batch: Batch, chain: string, once: string | undefined, abortSignal: AbortSignal): Promise<'written' | 'known'> {
    const Put = { TableName, Item: { chain, ...batch }, ConditionExpression: 'attribute_not_exists(sk)' };
    if (once === undefined) {
      await table.send(new PutCommand(Put), { abortSignal });
      return 'written';
    }
    const marker = { TableName, Item: { chain, sk: auditKeys.once(once), writeId: batch.writeId, expiresAt: batch.expiresAt }, ConditionExpression: 'attribute_not_exists(sk)' };
    try {
      await table.send(new TransactWriteCommand({ TransactItems: [{ Put }, { Put: marker }] }), { abortSignal });
      return 'written';
    } catch (error) {
      if (reasonsOf(error)[1] === 'ConditionalCheckFailed') return 'known';
      throw error;
    }
  }

  return { append };
}

function batchBehind(head: Head, { chain, events, writeId }: { chain: string; events: readonly AuditEvent[]; writeId: string }): Batch {
  return { sk: auditKeys.batch(head.seq + 1), entries: link(chain, head, events), writeId, expiresAt: Math.max(head.expiresAt, nowSeconds() + retentionSeconds) };
}

/** As many as fit in one item. What has a key goes alone. */
function nextOf(queue: Waiting[]): Waiting[] {
  let count = 0;
  let taken = 0;
  for (const { events, once } of queue) {
    if (taken > 0 && (once !== undefined || count + events.length > maxBatch)) break;
    count += events.length;
    taken += 1;
    if (once !== undefined) break;
  }
  return queue.splice(0, taken);
}
