import { GetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { ApprovalRecord } from '../../contracts/approval';
import { tableKeys, tenantResources } from '../../contracts/names';
import type { Approvals } from '../../ports/approvals';
import { brokenConditions } from './failures';
import type { TenantAccess } from './tenant-access';
import { allOfPartition, listedPage } from './tenant-table';

const byId = ({ sessionId, approvalId }: { sessionId: string; approvalId: string }) => ({ pk: tableKeys.approvals(sessionId), sk: approvalId });
const listed = (list: 'waiting' | 'decided', { requestedAt, approvalId }: ApprovalRecord) => ({ pk: tableKeys.approvalList(list), sk: tableKeys.listed(requestedAt, approvalId) });

/** Approvals in the tenant's table: each by its id, and a copy in one of two lists, moved in one transaction. */
export function createApprovals({ access }: { access: TenantAccess }): Approvals {
  const get: Approvals['get'] = async ({ tenantId, sessionId }, approvalId) => {
    const { Item } = await access
      .clients(tenantId, 'approvals')
      .table.send(new GetCommand({ TableName: tenantResources(tenantId).table, Key: byId({ sessionId, approvalId }), ConsistentRead: true }));
    return Item && ApprovalRecord.parse(Item);
  };

  /** Writes nothing when something else was there already. */
  async function writeUnlessChanged(tenantId: string, TransactItems: NonNullable<ConstructorParameters<typeof TransactWriteCommand>[0]['TransactItems']>): Promise<void> {
    await brokenConditions(access.clients(tenantId, 'approvals').table.send(new TransactWriteCommand({ TransactItems })));
  }

  return {
    get,

    async open(records) {
      for (const record of records) {
        const TableName = tenantResources(record.tenantId).table;
        await writeUnlessChanged(record.tenantId, [
          { Put: { TableName, Item: { ...byId(record), ...record }, ConditionExpression: 'attribute_not_exists(pk)' } },
          { Put: { TableName, Item: { ...listed('waiting', record), ...record } } },
        ]);
      }
    },

    async decide(session, approvalId, { decision, by, expired, at }) {
      const record = await get(session, approvalId);
      if (record?.state !== 'waiting') return;
      const TableName = tenantResources(session.tenantId).table;
      const decided = { ...record, state: decision, by: [...by], decidedAt: at, ...(expired === true && { expired }) };
      await writeUnlessChanged(session.tenantId, [
        {
          Put: {
            TableName,
            Item: { ...byId(record), ...decided },
            ConditionExpression: '#state = :waiting',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: { ':waiting': 'waiting' },
          },
        },
        { Delete: { TableName, Key: listed('waiting', record) } },
        { Put: { TableName, Item: { ...listed('decided', record), ...decided } } },
      ]);
    },

    ofSession: ({ tenantId, sessionId }) =>
      allOfPartition(access.clients(tenantId, 'approvals').table, tenantId, tableKeys.approvals(sessionId), (item) => ApprovalRecord.parse(item)),

    async list(tenantId, { list, limit, cursor }) {
      const pk = tableKeys.approvalList(list);
      const { items, ...rest } = await listedPage(access.clients(tenantId, 'approvals').table, { tenantId, pk, limit, cursor }, (item) => ApprovalRecord.parse(item));
      return { approvals: items, ...rest };
    },
  };
}
