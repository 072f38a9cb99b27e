import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { tenantResources } from '../../contracts/names';
import { decodeCursor, encodeCursor } from './cursors';

/** A key of `tableKeys.listed`. */
const listedPattern = /^\d{4}-\d\d-\d\dT[\d:.]+Z#[A-Za-z0-9-]{1,64}$/;

/** Which list of a tenant's table, and how much of it: from behind the cursor on. */
interface ListPage {
  readonly tenantId: string;
  readonly pk: string;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * A page of items whose sort key is `tableKeys.listed`, the newest first.
 * @throws DomainError `request/malformed` when the cursor is not one of ours.
 */
export async function listedPage<Item>(table: DynamoDBDocumentClient, { tenantId, pk, limit, cursor }: ListPage, parse: (item: unknown) => Item): Promise<{ items: Item[]; nextCursor?: string }> {
  const { Items = [], LastEvaluatedKey } = await table.send(
    new QueryCommand({
      TableName: tenantResources(tenantId).table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: limit,
      // The partition is never the caller's to choose.
      ...(cursor !== undefined && { ExclusiveStartKey: { sk: decodeCursor(cursor, listedPattern), pk } }),
    }),
  );
  return { items: Items.map(parse), ...(LastEvaluatedKey && { nextCursor: encodeCursor(String(LastEvaluatedKey['sk'])) }) };
}
