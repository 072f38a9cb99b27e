import { randomUUID } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { paginateQuery, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { EventBody, maxBatchEvents } from '../../contracts/events';
import { objectKeys, tableKeys, tenantResources } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { TenantCipher } from '../../ports/cipher';
import { unlessRefused } from './failures';
import type { TenantAccess } from './tenant-access';

/** An item of 400 KB is the most DynamoDB takes; what is sealed and larger than this goes to the bucket. */
const maxInlineBytes = 300_000;
/** How often a reader that met writers half-way looks again. */
const maxLooks = 5;

/** One batch as the table holds it. All but `body` is plain, so that a batch is found without opening any. */
export const BatchItem = z.object({
  /** The batch's first sequence number, padded. */
  sk: z.string(),
  batchKey: z.string(),
  count: z.number().int(),
  at: z.string(),
  body: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  /** The body is the name of the object that holds the events. */
  inBucket: z.boolean(),
});
export type BatchItem = z.infer<typeof BatchItem>;
const BatchOutline = BatchItem.pick({ sk: true, batchKey: true, count: true });
type Place = Pick<BatchItem, 'sk' | 'batchKey'>;

export const firstSeqOf = (item: BatchItem): number => Number(item.sk);
export const lastSeqOf = (item: BatchItem): number => firstSeqOf(item) + item.count - 1;

const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const decode = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));

interface Dependencies {
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
}

/** Seals the events of a batch, bound to their place in the log; large ones by way of the tenant's bucket. */
export function createBatchBodies({ access, cipher }: Dependencies) {
  const contextOf = (sessionId: string, { sk, batchKey }: Place) => ({ purpose: 'events', session: sessionId, batch: sk, key: batchKey });
  const contextOfObject = (Key: string) => ({ purpose: 'events-object', object: Key });

  return {
    async seal({ tenantId, sessionId }: SessionRef, place: Place, events: readonly EventBody[], unique = randomUUID() as string): Promise<Pick<BatchItem, 'body' | 'inBucket'>> {
      const plain = encode(events);
      if (plain.byteLength <= maxInlineBytes) return { body: await cipher.seal(tenantId, contextOf(sessionId, place), plain), inBucket: false };
      // A name of its own, unless the caller is the only writer there is: an attempt that loses its place must not overwrite the object of the one that won.
      const Key = objectKeys.batch(sessionId, place.batchKey, unique);
      const Body = await cipher.seal(tenantId, contextOfObject(Key), plain);
      await access.clients(tenantId, 'session-step').s3.send(new PutObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key, Body }));
      return { body: await cipher.seal(tenantId, contextOf(sessionId, place), encode(Key)), inBucket: true };
    },

    async open({ tenantId, sessionId }: SessionRef, item: BatchItem): Promise<EventBody[]> {
      const content = decode(await cipher.open(tenantId, contextOf(sessionId, item), item.body));
      if (!item.inBucket) return EventBody.array().parse(content);
      const Key = z.string().parse(content);
      const { Body } = await access.clients(tenantId, 'session-read').s3.send(new GetObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key }));
      if (!Body) throw new Error(`Object ${Key} is empty.`);
      return EventBody.array().parse(decode(await cipher.open(tenantId, contextOfObject(Key), await Body.transformToByteArray())));
    },
  };
}

/** Batches without what they say, oldest first. */
export async function* outlineOf({ access }: Pick<Dependencies, 'access'>, { tenantId, sessionId }: SessionRef): AsyncGenerator<{ firstSeq: number; count: number; key: string }> {
  const pages = paginateQuery(
    { client: access.clients(tenantId, 'session-read').table },
    {
      TableName: tenantResources(tenantId).table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': tableKeys.events(sessionId) },
      ExpressionAttributeNames: { '#count': 'count' },
      ProjectionExpression: 'sk, batchKey, #count',
      ConsistentRead: true,
    },
  );
  for await (const { Items } of pages)
    for (const item of Items ?? []) {
      const { sk, batchKey: key, count } = BatchOutline.parse(item);
      yield { firstSeq: Number(sk), count, key };
    }
}

/** The batches of a session's log as items of the tenant's table. */
export function createBatchTable({ access }: Pick<Dependencies, 'access'>) {
  async function* query({ tenantId, sessionId }: SessionRef, from: number, upTo: number, pageSize?: number): AsyncGenerator<BatchItem> {
    const pages = paginateQuery(
      { client: access.clients(tenantId, 'session-read').table, ...(pageSize !== undefined && { pageSize }) },
      {
        TableName: tenantResources(tenantId).table,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':pk': tableKeys.events(sessionId), ':from': tableKeys.batch(Math.max(1, from)), ':to': tableKeys.batch(upTo) },
        ConsistentRead: true,
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []).map((item) => BatchItem.parse(item));
  }

  return {
    /** @returns false when the place is taken. */
    async put({ tenantId, sessionId }: SessionRef, item: BatchItem): Promise<boolean> {
      const put = access.clients(tenantId, 'session-step').table.send(
        new PutCommand({
          TableName: tenantResources(tenantId).table,
          Item: { pk: tableKeys.events(sessionId), ...item },
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      );
      return unlessRefused(
        put.then(() => true),
        () => false,
      );
    },

    /** The newest one. */
    async last({ tenantId, sessionId }: SessionRef): Promise<BatchItem | undefined> {
      const { Items } = await access.clients(tenantId, 'session-read').table.send(
        new QueryCommand({
          TableName: tenantResources(tenantId).table,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': tableKeys.events(sessionId) },
          ScanIndexForward: false,
          ConsistentRead: true,
          Limit: 1,
        }),
      );
      return Items?.[0] && BatchItem.parse(Items[0]);
    },

    /**
     * Batches that hold something after `after`, each one following the last. A query is no snapshot: while batches are
     * written it can show a later one without an earlier one, and then it has to look again.
     *
     * @param range - `aligned`: a batch is known to end at `after`, so none begins before it and reaches beyond. `atATime`: batches that are asked for at
     * once; a megabyte of them when absent.
     */
    async *chain(session: SessionRef, range: { after: number; upTo?: number | undefined; aligned: boolean; atATime?: number | undefined }): AsyncGenerator<BatchItem> {
      const upTo = range.upTo ?? 999_999_999_999;
      if (upTo <= range.after) return;
      let last = range.after;
      let lookBack = 0;
      for (let look = 1; look <= maxLooks; look++) {
        let torn = false;
        for await (const item of query(session, last + 1 - lookBack, upTo, range.atATime)) {
          if (lastSeqOf(item) <= last) continue;
          torn = firstSeqOf(item) > last + 1;
          if (torn) break;
          yield item;
          last = lastSeqOf(item);
        }
        const maybeInsideBatch = !range.aligned && last === range.after && last > 0 && lookBack === 0;
        if (!torn && !maybeInsideBatch) return;
        if (maybeInsideBatch) lookBack = maxBatchEvents - 1;
      }
      throw new Error(`The log of session ${session.sessionId} has a gap after ${last}.`);
    },
  };
}
