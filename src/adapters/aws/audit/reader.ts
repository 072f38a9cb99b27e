import { paginateQuery, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { AuditEntry, SignedCheckpoint } from '../../../contracts/audit';
import { auditKeys } from '../../../contracts/names';
import { type Batch, type Head, headOf, nowSeconds, start, type Table, TableName } from './items';

type Range = readonly [from: string, to: string];
export interface Options {
  readonly abortSignal: AbortSignal;
}
export type Reader = ReturnType<typeof createReader>;

const within = (chain: string, [from, to]: Range) => ({
  TableName,
  KeyConditionExpression: 'chain = :chain AND sk BETWEEN :from AND :to',
  ExpressionAttributeValues: { ':chain': chain, ':from': from, ':to': to },
  ConsistentRead: true,
});

/** What is over its time is not shown, whether DynamoDB has deleted it already or not. */
export function createReader(client: Table) {
  async function* items<Item extends { expiresAt: number }>(chain: string, range: Range, isForward: boolean, options = {}): AsyncGenerator<Item> {
    const pages = paginateQuery({ client }, { ...within(chain, range), ScanIndexForward: isForward }, options);
    const now = nowSeconds();
    for await (const { Items = [] } of pages) for (const item of Items as Item[]) if (item.expiresAt > now) yield item;
  }

  async function newest<Item extends { expiresAt: number }>(chain: string, range: Range, options = {}): Promise<Item | undefined> {
    const { Items } = await client.send(new QueryCommand({ ...within(chain, range), ScanIndexForward: false, Limit: 1 }), options);
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
      for await (const { entries } of items<Batch>(chain, batchesUpTo(Math.max(0, before - 1)), false)) for (const entry of entries.toReversed()) if (entry.seq < before) yield entry;
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
