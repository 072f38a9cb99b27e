import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { QuestionRecord } from '../../contracts/question';
import { tableKeys, tenantResources } from '../../contracts/names';
import type { Questions } from '../../ports/questions';
import { isAwsError } from './failures';
import type { TenantAccess } from './tenant-access';
import { allOfPartition } from './tenant-table';

const byId = ({ sessionId, questionId }: { sessionId: string; questionId: string }) => ({ pk: tableKeys.questions(sessionId), sk: questionId });

/** Questions in the tenant's table, each one item. */
export function createQuestions({ access }: { access: TenantAccess }): Questions {
  const get: Questions['get'] = async ({ tenantId, sessionId }, questionId) => {
    const { Item } = await access
      .clients(tenantId, 'session-read')
      .table.send(new GetCommand({ TableName: tenantResources(tenantId).table, Key: byId({ sessionId, questionId }), ConsistentRead: true }));
    return Item && QuestionRecord.parse(Item);
  };

  /** Writes nothing when something else is there already. */
  async function put(record: QuestionRecord, condition: Pick<ConstructorParameters<typeof PutCommand>[0], 'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'>): Promise<void> {
    const { tenantId } = record;
    try {
      await access.clients(tenantId, 'session-step').table.send(new PutCommand({ TableName: tenantResources(tenantId).table, Item: { ...byId(record), ...record }, ...condition }));
    } catch (error) {
      if (!isAwsError(error, 'ConditionalCheckFailedException')) throw error;
    }
  }

  return {
    get,

    open: (record) => put(record, { ConditionExpression: 'attribute_not_exists(pk)' }),

    async end(session, questionId, { state, at, answerId }) {
      const record = await get(session, questionId);
      if (record?.state !== 'waiting') return;
      const ended = { ...record, state, endedAt: at, ...(answerId !== undefined && { answerId }) };
      await put(ended, { ConditionExpression: '#state = :waiting', ExpressionAttributeNames: { '#state': 'state' }, ExpressionAttributeValues: { ':waiting': 'waiting' } });
    },

    ofSession: ({ tenantId, sessionId }) =>
      allOfPartition(access.clients(tenantId, 'session-read').table, tenantId, tableKeys.questions(sessionId), (item) => QuestionRecord.parse(item)),
  };
}
