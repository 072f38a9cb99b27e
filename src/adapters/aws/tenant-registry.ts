import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { DomainError } from '../../contracts/errors';
import { isScratchTenant, platformResources } from '../../contracts/names';
import { TenantRecord, type TenantStatus } from '../../contracts/tenant';
import type { TenantListing, TenantRegistry } from '../../ports/tenant-registry';
import { decodeCursor, encodeCursor } from './cursors';
import { unlessRefused } from './failures';

const TableName = platformResources.registryTable;
/** No other operation works on the tenant. `:operation` is the one that asks. */
const unclaimed = '(attribute_not_exists(claimedBy) OR claimedBy = :operation)';

/** Names what is in the way of an operation. */
function busy({ tenantId, status, operationId: owner, claimedBy }: TenantRecord, operationId: string, cause: Error): DomainError {
  const isClaimed = claimedBy !== undefined && claimedBy !== operationId;
  const message = isClaimed
    ? `Operation ${claimedBy} works on tenant ${tenantId}. Wait until it has ended, or cancel it.`
    : `Tenant ${tenantId} is ${status}, held by operation ${owner}.`;
  return new DomainError('tenant/busy', message, { cause });
}

const notFound = (tenantId: string) => new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);

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
    return Item && recordOf(Item);
  }

  return {
    get,

    async list({ limit = 100, cursor, status } = {}) {
      const items: Item[] = [];
      let after = cursor === undefined ? undefined : { tenantId: decodeCursor(cursor, 'tenants') };
      do {
        const page = await table.send(new ScanCommand({ TableName, Limit: limit - items.length, ConsistentRead: true, ...ofStatus(status), ExclusiveStartKey: after }));
        items.push(...(page.Items ?? []));
        after = page.LastEvaluatedKey && { tenantId: String(page.LastEvaluatedKey['tenantId']) };
      } while (after && items.length < limit);
      return { ...sorted(items), ...(after && { nextCursor: encodeCursor(after.tenantId) }) };
    },

    async reserve(request) {
      const now = new Date().toISOString();
      const status = isScratchTenant(request.tenantId) ? 'scratch' : 'provisioning';
      const record: TenantRecord = { ...request, status, createdAt: now, updatedAt: now };
      const write = table.send(new PutCommand({ TableName, Item: record, ConditionExpression: 'attribute_not_exists(tenantId)' }));
      return unlessRefused(
        write.then(() => record),
        async (cause) => {
          const holder = await get(request.tenantId);
          if (holder?.operationId === request.operationId && holder.status === status) return holder;
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
      await unlessRefused<unknown, unknown>(write, () => undefined);
    },

    async transition({ tenantId, from, to, operationId }) {
      const states = Object.fromEntries(from.map((status, index) => [`:from${index}`, status]));
      const mayMove = from.length > 0 ? `#status IN (${Object.keys(states).join(', ')}) OR ` : '';
      const write = table.send(
        new UpdateCommand({
          TableName,
          Key: { tenantId },
          UpdateExpression: 'SET #status = :to, operationId = :operation, updatedAt = :now REMOVE keepUntil',
          ConditionExpression: `attribute_exists(tenantId) AND ${unclaimed} AND (${mayMove}(#status = :to AND operationId = :operation))`,
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: { ...states, ':to': to, ':operation': operationId, ':now': new Date().toISOString() },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return unlessRefused(write.then(changed), async (cause) => {
        const record = await get(tenantId);
        if (!record) throw notFound(tenantId);
        throw busy(record, operationId, cause);
      });
    },

    ...claims(table, get),
    ...burials(table, get),
    ...changesOf(table, get),
  };
}

/** Claims are writes on the tenant's entry, like its status. */
const claims = (table: DynamoDBDocumentClient, get: TenantRegistry['get']): Pick<TenantRegistry, 'claim' | 'releaseClaim'> => ({
  async claim(tenantId, operationId, from = ['active', 'suspended']) {
    const states = Object.fromEntries(from.map((status, index) => [`:from${index}`, status]));
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { tenantId },
        UpdateExpression: 'SET claimedBy = :operation',
        // A claim that stands is kept whatever its operation has made of the status since.
        ConditionExpression: `claimedBy = :operation OR (attribute_not_exists(claimedBy) AND #status IN (${Object.keys(states).join(', ')}))`,
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ...states, ':operation': operationId },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return unlessRefused(write.then(changed), async (cause) => {
      const record = await get(tenantId);
      if (!record || record.status === 'deleted') throw notFound(tenantId);
      if (record.claimedBy === undefined && record.status === 'suspended')
        throw new DomainError('tenant/suspended', `Tenant ${tenantId} is suspended: resume it first.`, { cause });
      if (record.claimedBy === undefined && record.status === 'active')
        throw new DomainError('tenant/not-suspended', `Tenant ${tenantId} is active: there is nothing to resume.`, { cause });
      throw busy(record, operationId, cause);
    });
  },

  async releaseClaim(tenantId, operationId) {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { tenantId },
        UpdateExpression: 'REMOVE claimedBy',
        ConditionExpression: 'claimedBy = :operation',
        ExpressionAttributeValues: { ':operation': operationId },
      }),
    );
    await unlessRefused<unknown, unknown>(write, () => undefined);
  },
});

/** What is noted of a tenant, whatever its status. */
const changesOf = (table: DynamoDBDocumentClient, get: TenantRegistry['get']): Pick<TenantRegistry, 'update' | 'setBudgets'> => ({
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
    return unlessRefused(write.then(changed), () => {
      throw notFound(tenantId);
    });
  },
  async setBudgets(tenantId, { side, budgets, seenRevision }) {
    const isAsSeen = seenRevision === 0 ? 'attribute_not_exists(budgetsRevision)' : 'budgetsRevision = :seen';
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { tenantId },
        UpdateExpression: 'SET #side = :budgets, budgetsRevision = if_not_exists(budgetsRevision, :none) + :one, updatedAt = :now',
        // What is set already may be this very request's, whose answer was lost.
        ConditionExpression: `attribute_exists(tenantId)${seenRevision === undefined ? '' : ` AND (${isAsSeen} OR #side = :budgets)`}`,
        ExpressionAttributeNames: { '#side': side },
        ExpressionAttributeValues: { ':budgets': budgets, ':none': 0, ':one': 1, ':now': new Date().toISOString(), ...(seenRevision && { ':seen': seenRevision }) },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return unlessRefused(write.then(changed), async (cause) => {
      const record = await get(tenantId);
      if (!record) throw notFound(tenantId);
      throw new DomainError('budget/changed', `The budgets of tenant ${tenantId} are at revision ${record.budgetsRevision ?? 0}, not ${seenRevision}. Read them again, and repeat what still fits.`, { cause });
    });
  },
});

/** What is left of a tenant's entry at its end. */
const burials = (table: DynamoDBDocumentClient, get: TenantRegistry['get']): Pick<TenantRegistry, 'bury' | 'purge'> => ({
  async bury({ tenantId, operationId, tombstone }) {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { tenantId },
        UpdateExpression: 'SET #status = :deleted, tombstone = if_not_exists(tombstone, :tombstone), updatedAt = :now REMOVE keepUntil, claimedBy, historyKeys',
        ConditionExpression: '#status IN (:offboarding, :deleted) AND operationId = :operation',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':deleted': 'deleted', ':offboarding': 'offboarding', ':operation': operationId, ':tombstone': tombstone, ':now': new Date().toISOString() },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return unlessRefused(write.then(changed), async (cause) => {
      const record = await get(tenantId);
      if (!record) throw notFound(tenantId);
      throw busy(record, operationId, cause);
    });
  },

  async purge(tenantId, operationId) {
    const write = table.send(
      new DeleteCommand({
        TableName,
        Key: { tenantId },
        ConditionExpression: '#status = :deleted AND operationId = :operation',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':deleted': 'deleted', ':operation': operationId },
      }),
    );
    await unlessRefused<unknown, unknown>(write, () => undefined);
  },
});

/** DynamoDB filters what it has read: a page of it may hold few of one status, or none. */
const ofStatus = (status: TenantStatus | undefined) =>
  status !== undefined && {
    FilterExpression: '#status = :status',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':status': status },
  };

type Item = Record<string, unknown>;

function recordOf(item: Item): TenantRecord {
  const parsed = TenantRecord.safeParse(item);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new DomainError('tenant/unreadable', `The entry of tenant ${String(item['tenantId'])} in table ${TableName} cannot be read (${problems}). Mend it there; where a newer version wrote it, update this one.`, { cause: parsed.error });
}

/** One entry that cannot be read keeps nobody from the others. */
function sorted(items: readonly Item[]): Pick<TenantListing, 'tenants' | 'unreadable'> {
  const [tenants, unreadable]: [TenantRecord[], string[]] = [[], []];
  for (const item of items) {
    const parsed = TenantRecord.safeParse(item);
    if (parsed.success) tenants.push(parsed.data);
    else unreadable.push(String(item['tenantId']));
  }
  return { tenants, unreadable };
}

const changed = ({ Attributes = {} }: { Attributes?: Item | undefined }): TenantRecord => recordOf(Attributes);
