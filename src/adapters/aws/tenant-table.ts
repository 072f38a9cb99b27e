import { type DynamoDBDocumentClient, paginateQuery, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { CursorOf } from '../../contracts/cursors';
import { tenantResources } from '../../contracts/names';
import type { PageRequest } from '../../ports/page';
import { decodeCursor, encodeCursor } from './cursors';

/** Which table, as every request names it. */
export const tableNameOf = (tenantId: string) => ({ TableName: tenantResources(tenantId).table });

/** All items that fit, in the order of their sort keys, however many pages they take. @param query - condition and values. */
export async function* itemsOf(table: DynamoDBDocumentClient, tenantId: string, query: object): AsyncGenerator {
  for await (const { Items } of paginateQuery({ client: table }, { ...tableNameOf(tenantId), ...query, ConsistentRead: true })) yield* Items ?? [];
}

/** All items of one partition. */
export async function allOfPartition<Item>(table: DynamoDBDocumentClient, tenantId: string, pk: string, parse: (item: Record<string, unknown>) => Item): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of itemsOf(table, tenantId, { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk } })) found.push(parse(item as Record<string, unknown>));
  return found;
}

/** Which list of a tenant's table, and how much of it: from behind the cursor on. */
interface ListPage extends PageRequest {
  readonly tenantId: string;
  readonly pk: string;
  /** What the list's sort keys begin with, where its partition holds others too, and whose cursors it takes. Default: keys of `tableKeys.listed`. */
  readonly keys?: { readonly beginning: string; readonly cursors: CursorOf };
}

/**
 * A page of a list, the last sort key first: the newest.
 * @throws DomainError `request/malformed` when the cursor is not one of ours.
 */
export async function listedPage<Item>(table: DynamoDBDocumentClient, { tenantId, pk, limit, cursor, keys }: ListPage, parse: (item: unknown) => Item): Promise<{ items: Item[]; nextCursor?: string }> {
  const { Items = [], LastEvaluatedKey } = await table.send(
    new QueryCommand({
      ...tableNameOf(tenantId),
      KeyConditionExpression: keys ? 'pk = :pk AND begins_with(sk, :beginning)' : 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk, ...(keys && { ':beginning': keys.beginning }) },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: limit,
      // The partition is never the caller's to choose.
      ...(cursor !== undefined && { ExclusiveStartKey: { sk: decodeCursor(cursor, keys?.cursors ?? 'byTime'), pk } }),
    }),
  );
  return { items: Items.map(parse), ...(LastEvaluatedKey && { nextCursor: encodeCursor(String(LastEvaluatedKey['sk'])) }) };
}
