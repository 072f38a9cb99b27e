import { setTimeout as delay } from 'node:timers/promises';
import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { paginateQuery, PutCommand, QueryCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { ulid } from 'ulid';
import { type AuditCheckpoint, type AuditEntry, type AuditEvent, checkpointFormat, type SignedCheckpoint } from '../../contracts/audit';
import { DomainError } from '../../contracts/errors';
import { auditKeys, platformResources } from '../../contracts/names';
import { auditRetentionDays } from '../../domain/audit';
import type { AuditHead, AuditLog } from '../../ports/audit';
import { checkpointType, emptyChain, link, misfitOf } from '../audit-chain';
import type { PlatformClients } from './clients';
import { unlessRefused } from './failures';
import { createSigner } from './signer';

const TableName = platformResources.auditTable;

/** In one item: some 30 KB of the 400 it may have. */
const maxBatch = 50;
/** Who waits for a write is told after this time that the log cannot be written, and sooner when the table has not answered for long. */
const writeWithinMs = 10_000;
const silentForMs = 4_000;
/** Of a head that was not written behind for longer, others may know more: one read is cheaper than to walk there. */
const headAgeMs = 60_000;
const retentionSeconds = auditRetentionDays * 86_400;
/** The more there are who want the same place, the thinner they must come: those who lose have cost two requests. */
const backoffMs = (attempt: number): number => Math.random() * Math.min(400, 15 * 2 ** attempt);

/** An item: entries that were written together. */
interface Batch {
  readonly sk: string;
  readonly entries: readonly AuditEntry[];
  /** Of the attempt that wrote it: an answer that was lost is no reason to write twice. */
  readonly writeId: string;
  /** Unix seconds; never less than that of the batch before. */
  readonly expiresAt: number;
}

interface Head extends AuditHead {
  readonly expiresAt: number;
}

const start: Head = { ...emptyChain, expiresAt: 0 };

const headOf = ({ entries, expiresAt }: Batch): Head => {
  const { seq, hash } = entries.at(-1) ?? emptyChain;
  return { seq, hash, expiresAt };
};

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** Chains of batches in table `tenure-audit`, each put where the chain ends and only if the place is free. See docs/decisions/0054-audit-log.md. */
export function createAuditLog({ table, kms }: Pick<PlatformClients, 'table' | 'kms'>): AuditLog {
  const reader = createReader(table);
  const { append } = createWriter(table, reader);
  const signer = createSigner(kms, platformResources.auditKeyAlias, checkpointType);

  async function signed(checkpoint: AuditCheckpoint): Promise<SignedCheckpoint> {
    const { signature } = await signer.sign(checkpoint);
    return { checkpoint, signature };
  }

  return {
    append,
    ...reader,

    async sign(chain) {
      const { checkpoint: last } = (await reader.lastCheckpoint(chain)) ?? {};
      let head: AuditHead = last ?? emptyChain;
      if (last) await mustHold(reader, last);
      for await (const entry of reader.read(chain, { after: head.seq })) {
        const misfit = head.seq === 0 && entry.seq > 1 ? undefined : misfitOf(head, entry, chain);
        if (misfit !== undefined) throw new DomainError('audit/broken', misfit);
        head = entry;
      }
      const { seq, hash } = head;
      if (seq === (last?.seq ?? 0)) return { seq, hash, isNew: false };
      const previous = last && { previous: last.seq };
      const checkpoint = await signed({ format: checkpointFormat, kind: 'scheduled', chain, seq, hash, ...previous, signedAt: new Date().toISOString() });
      // Gone before the entry it speaks of.
      const Item = { chain, sk: auditKeys.checkpoint(seq), ...checkpoint, expiresAt: nowSeconds() + retentionSeconds - 86_400 };
      await unlessRefused(table.send(new PutCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(sk)' })), () => undefined);
      return { seq, hash, isNew: true };
    },

    seal: ({ chain, after, head: { seq, hash }, previous }) =>
      signed({ format: checkpointFormat, kind: 'export', chain, seq, hash, after, ...(previous !== undefined && { previous }), signedAt: new Date().toISOString() }),

    key: signer.key,
  };
}

/** What was signed is still there as it was. @throws DomainError `audit/broken` */
async function mustHold(reader: Reader, { chain, seq, hash }: AuditCheckpoint): Promise<void> {
  for await (const entry of reader.read(chain, { after: seq - 1, upTo: seq })) {
    const misfit = misfitOf({ seq: seq - 1, hash: entry.prev }, entry, chain);
    if (misfit !== undefined || entry.hash !== hash) throw new DomainError('audit/broken', misfit ?? `Entry ${seq} is not the one that was signed.`);
    return;
  }
  throw new DomainError('audit/broken', `Entry ${seq} was signed, and is not there any more.`);
}

const isTaken = (error: unknown): boolean => error instanceof ConditionalCheckFailedException || error instanceof TransactionCanceledException;

type Table = PlatformClients['table'];
type Range = readonly [from: string, to: string];
interface Options {
  readonly abortSignal: AbortSignal;
}
type Reader = ReturnType<typeof createReader>;

/** What is over its time is not shown, whether DynamoDB has deleted it already or not. */
function createReader(client: Table) {
  async function* items<Item extends { expiresAt: number }>(chain: string, [from, to]: Range, isForward: boolean, options = {}): AsyncGenerator<Item> {
    const pages = paginateQuery(
      { client },
      {
        TableName,
        KeyConditionExpression: 'chain = :chain AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':chain': chain, ':from': from, ':to': to },
        ScanIndexForward: isForward,
        ConsistentRead: true,
      },
      options,
    );
    const now = nowSeconds();
    for await (const { Items = [] } of pages) for (const item of Items as Item[]) if (item.expiresAt > now) yield item;
  }

  async function newest<Item extends { expiresAt: number }>(chain: string, [from, to]: Range, options = {}): Promise<Item | undefined> {
    const { Items } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'chain = :chain AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':chain': chain, ':from': from, ':to': to },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: 1,
      }),
      options,
    );
    return Items?.[0] as Item | undefined;
  }

  const batchesUpTo = (seq: number) => [auditKeys.batch(0), auditKeys.batch(seq)] as const;
  const head = async (chain: string, options = {}): Promise<Head> => {
    const last = await newest<Batch>(chain, batchesUpTo(lastSeq), options);
    return last ? headOf(last) : start;
  };

  return {
    head,
    batchesBehind: (chain: string, seq: number, options: Options) => items<Batch>(chain, [auditKeys.batch(seq + 1), auditKeys.batch(lastSeq)], true, options),

    async *read(chain: string, { after = 0, upTo = lastSeq }: { after?: number; upTo?: number } = {}): AsyncGenerator<AuditEntry> {
      // Where the batch begins that holds the first of them.
      const first = after === 0 ? undefined : await newest<Batch>(chain, batchesUpTo(after + 1));
      for await (const { entries } of items<Batch>(chain, [first?.sk ?? auditKeys.batch(0), auditKeys.batch(upTo)], true))
        for (const entry of entries) if (entry.seq > after && entry.seq <= upTo) yield entry;
    },

    async *readBack(chain: string, before = lastSeq): AsyncGenerator<AuditEntry> {
      for await (const { entries } of items<Batch>(chain, batchesUpTo(before - 1), false)) for (const entry of entries.toReversed()) if (entry.seq < before) yield entry;
    },

    async *checkpoints(chain: string, { after = 0, upTo = lastSeq }: { after?: number; upTo?: number } = {}): AsyncGenerator<SignedCheckpoint> {
      for await (const { checkpoint, signature } of items<SignedCheckpoint & { expiresAt: number }>(chain, [auditKeys.checkpoint(after + 1), auditKeys.checkpoint(upTo)], true))
        yield { checkpoint, signature };
    },

    async lastCheckpoint(chain: string): Promise<SignedCheckpoint | undefined> {
      const found = await newest<SignedCheckpoint & { expiresAt: number }>(chain, [auditKeys.checkpoint(0), auditKeys.checkpoint(lastSeq)]);
      return found && found.expiresAt > nowSeconds() ? { checkpoint: found.checkpoint, signature: found.signature } : undefined;
    },
  };
}

const lastSeq = 999_999_999_999;

interface Waiting {
  readonly events: readonly AuditEvent[];
  readonly once: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Events of a chain that come while a write of it is under way go together in the next. */
function createWriter(table: Table, reader: Reader) {
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
        void drain(chain);
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
    let answeredAtMs = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      let tried: Head | undefined;
      try {
        tried = heads.get(chain) ?? (await reader.head(chain, { abortSignal }));
        const batch = batchBehind(tried, { chain, events, writeId });
        if ((await put(batch, chain, together[0]?.once, abortSignal)) === 'written') heads.set(chain, headOf(batch));
        return;
      } catch (error) {
        heads.delete(chain);
        if (isTaken(error)) answeredAtMs = Date.now();
        if (abortSignal.aborted || Date.now() - answeredAtMs > silentForMs) throw new DomainError('audit/unavailable', 'What is asked cannot be recorded now, and was not done. Try again later.', { cause: error });
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
      if (error instanceof TransactionCanceledException && error.CancellationReasons?.[1]?.Code === 'ConditionalCheckFailed') return 'known';
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
