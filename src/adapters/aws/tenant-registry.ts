import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { DomainError } from '../../contracts/errors';
import { platformResources, tenantIdPattern } from '../../contracts/names';
import { TenantRecord } from '../../contracts/tenant';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { decodeCursor, encodeCursor } from './cursors';

const TableName = platformResources.registryTable;
const notFound = (tenantId: string) => new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);

/** The answer of a conditional write, or what `refused` makes of it when the condition did not hold. */
async function unlessRefused<T>(write: Promise<T>, refused: (cause: Error) => Promise<T> | T): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return refused(error);
    throw error;
  }
}

/** Sets each attribute, whatever its name. */
const assigning = (changes: Record<string, unknown>) => {
  const entries = Object.entries(changes);
  return {
    UpdateExpression: `SET ${entries.map((_, index) => `#n${index} = :v${index}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(entries.map(([name], index) => [`#n${index}`, name])),
    ExpressionAttributeValues: Object.fromEntries(entries.map(([, value], index) => [`:v${index}`, value])),
  };
};

/** On table `tenant-registry`, partition key `tenantId`. Every change is one conditional write. */
export function createTenantRegistry({ table }: { table: DynamoDBDocumentClient }): TenantRegistry {
  async function get(tenantId: string): Promise<TenantRecord | undefined> {
    const { Item } = await table.send(new GetCommand({ TableName, Key: { tenantId }, ConsistentRead: true }));
    return Item && TenantRecord.parse(Item);
  }

  return {
    get,

    async list({ limit = 100, cursor } = {}) {
      const page = await table.send(
        new ScanCommand({ TableName, Limit: limit, ConsistentRead: true, ...(cursor !== undefined && { ExclusiveStartKey: { tenantId: decodeCursor(cursor, tenantIdPattern) } }) }),
      );
      return {
        tenants: (page.Items ?? []).map((item) => TenantRecord.parse(item)),
        ...(page.LastEvaluatedKey && { nextCursor: encodeCursor(String(page.LastEvaluatedKey['tenantId'])) }),
      };
    },

    async reserve(request) {
      const now = new Date().toISOString();
      const record: TenantRecord = { ...request, status: 'provisioning', createdAt: now, updatedAt: now };
      const write = table.send(new PutCommand({ TableName, Item: record, ConditionExpression: 'attribute_not_exists(tenantId)' }));
      return unlessRefused(
        write.then(() => record),
        async (cause) => {
          const holder = await get(request.tenantId);
          if (holder?.operationId === request.operationId && holder.status === 'provisioning') return holder;
          throw new DomainError('tenant/exists', `The tenant id ${request.tenantId} is taken.`, { cause });
        },
      );
    },

    async release(tenantId, operationId) {
      const write = table.send(
        new DeleteCommand({
          TableName,
          Key: { tenantId },
          ConditionExpression: 'operationId = :operation',
          ExpressionAttributeValues: { ':operation': operationId },
        }),
      );
      await unlessRefused<unknown>(write, () => undefined);
    },

    async transition({ tenantId, from, to, operationId }) {
      const states = Object.fromEntries(from.map((status, index) => [`:from${index}`, status]));
      const mayMove = from.length > 0 ? `#status IN (${Object.keys(states).join(', ')}) OR ` : '';
      const write = table.send(
        new UpdateCommand({
          TableName,
          Key: { tenantId },
          UpdateExpression: 'SET #status = :to, operationId = :operation, updatedAt = :now REMOVE keepUntil',
          ConditionExpression: `attribute_exists(tenantId) AND (${mayMove}(#status = :to AND operationId = :operation))`,
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: { ...states, ':to': to, ':operation': operationId, ':now': new Date().toISOString() },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return unlessRefused(write.then(recordOf), async (cause) => {
        const record = await get(tenantId);
        if (!record) throw notFound(tenantId);
        throw new DomainError('tenant/busy', `Tenant ${tenantId} is ${record.status}, held by operation ${record.operationId}.`, { cause });
      });
    },

    async update(tenantId, changes) {
      const write = table.send(
        new UpdateCommand({
          TableName,
          Key: { tenantId },
          ...assigning({ ...changes, updatedAt: new Date().toISOString() }),
          ConditionExpression: 'attribute_exists(tenantId)',
          ReturnValues: 'ALL_NEW',
        }),
      );
      return unlessRefused(write.then(recordOf), () => {
        throw notFound(tenantId);
      });
    },
  };
}

const recordOf = ({ Attributes }: { Attributes?: unknown }): TenantRecord => TenantRecord.parse(Attributes);
