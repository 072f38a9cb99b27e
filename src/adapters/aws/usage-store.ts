import { DeleteCommand, GetCommand, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { tableKeys, type UsagePeriod } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { type UsageCell, UsageFigures } from '../../contracts/usage';
import { usageFigures } from '../../domain/usage';
import type { UsageStore } from '../../ports/usage';
import { brokenConditions } from './failures';
import type { TenantAccess } from './tenant-access';
import { itemsOf, tableNameOf } from './tenant-table';

const Progress = z.object({ sessionsSince: z.string().optional(), rolledUpAt: z.string().optional() });
const Followed = z.object({ sk: z.string(), userId: z.string() });
const Cell = UsageFigures.extend({ period: z.string(), userId: z.string(), modelId: z.string(), agent: z.string().optional() });

const countedKey = (sessionId: string) => ({ pk: tableKeys.session(sessionId), sk: tableKeys.counted() });

/** Counters in the tenant's table. A count and the place it was counted up to change in one transaction. */
export function createUsageStore({ access }: { access: TenantAccess }): UsageStore {
  const table = (tenantId: string) => access.clients(tenantId, 'usage').table;
  const progressKey = { pk: tableKeys.rollUp(), sk: tableKeys.rollUp() };

  async function get(tenantId: string, Key: { pk: string; sk: string }): Promise<unknown> {
    return (await table(tenantId).send(new GetCommand({ ...tableNameOf(tenantId), Key, ConsistentRead: true }))).Item;
  }

  function adding(tenantId: string, period: UsagePeriod, { period: at, userId, modelId, agent, ...figures }: UsageCell) {
    const given = usageFigures.flatMap((name) => (figures[name] === undefined ? [] : [[name, figures[name]] as const]));
    return {
      Update: {
        ...tableNameOf(tenantId),
        Key: { pk: tableKeys.usage(period), sk: tableKeys.usageOf(at, userId, modelId, agent) },
        UpdateExpression: `SET #period = :period, userId = :user, modelId = :model${agent === undefined ? '' : ', #agent = :agent'} ADD ${given.map(([name]) => `${name} :${name}`).join(', ')}`,
        // Words that DynamoDB keeps for itself.
        ExpressionAttributeNames: { '#period': 'period', ...(agent !== undefined && { '#agent': 'agent' }) },
        ExpressionAttributeValues: { ':period': at, ':user': userId, ':model': modelId, ...(agent !== undefined && { ':agent': agent }), ...Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])) },
      },
    };
  }

  return {
    async progress(tenantId) {
      const { sessionsSince, rolledUpAt } = Progress.parse((await get(tenantId, progressKey)) ?? {});
      return { ...(sessionsSince !== undefined && { sessionsSince }), ...(rolledUpAt !== undefined && { rolledUpAt }) };
    },

    async noteProgress(tenantId, progress) {
      for (const [name, time] of Object.entries(progress))
        await table(tenantId).send(new UpdateCommand({ ...tableNameOf(tenantId), Key: progressKey, UpdateExpression: 'SET #name = :time', ExpressionAttributeNames: { '#name': name }, ExpressionAttributeValues: { ':time': time } }));
    },

    async follow({ tenantId, sessionId, userId }) {
      await table(tenantId).send(new PutCommand({ ...tableNameOf(tenantId), Item: { pk: tableKeys.openSessions(), sk: sessionId, userId } }));
    },

    async unfollow({ tenantId, sessionId }) {
      await table(tenantId).send(new DeleteCommand({ ...tableNameOf(tenantId), Key: { pk: tableKeys.openSessions(), sk: sessionId } }));
    },

    async *followed(tenantId) {
      for await (const item of itemsOf(table(tenantId), tenantId, { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': tableKeys.openSessions() } })) {
        const { sk, userId } = Followed.parse(item);
        yield { tenantId, sessionId: sk, userId };
      }
    },

    async countedUpTo({ tenantId, sessionId }) {
      return z.object({ seq: z.number().int() }).optional().parse(await get(tenantId, countedKey(sessionId)))?.seq ?? 0;
    },

    async count({ tenantId, sessionId }: SessionRef, { after, upTo, hours, days }) {
      const moving = {
        Put: {
          ...tableNameOf(tenantId),
          Item: { ...countedKey(sessionId), seq: upTo },
          ConditionExpression: after === 0 ? 'attribute_not_exists(pk) OR seq = :after' : 'seq = :after',
          ExpressionAttributeValues: { ':after': after },
        },
      };
      const additions = [...hours.map((cell) => adding(tenantId, 'hour', cell)), ...days.map((cell) => adding(tenantId, 'day', cell))];
      // Only the place has a condition: that it is where it was thought to be.
      return (await brokenConditions(table(tenantId).send(new TransactWriteCommand({ TransactItems: [moving, ...additions] })))).length === 0;
    },

    async read(tenantId, { period, from, to }) {
      const query = {
        // `to` is not within: a cell's key is its period with more behind.
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':pk': tableKeys.usage(period), ':from': from, ':to': to },
      };
      const cells: UsageCell[] = [];
      for await (const item of itemsOf(table(tenantId), tenantId, query)) cells.push(Cell.parse(item));
      return cells;
    },
  };
}
