import { GetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { tableKeys, tenantResources } from '../../contracts/names';
import { SessionRecord, type SessionRef } from '../../contracts/session';
import { mustBeSameRequest } from '../../domain/same-request';
import type { SessionDirectory } from '../../ports/session-store';
import { brokenConditions } from './failures';
import type { TenantAccess } from './tenant-access';
import { listedPage } from './tenant-table';

/** Where a record stands: by its id, in the tenant's list, and in its user's list. */
export const sessionPlaces = ({ sessionId, userId, createdAt }: Pick<SessionRecord, 'sessionId' | 'userId' | 'createdAt'>) =>
  [
    { pk: tableKeys.session(sessionId), sk: tableKeys.record() },
    { pk: tableKeys.sessions(), sk: tableKeys.listed(createdAt, sessionId) },
    { pk: tableKeys.sessionsOf(userId), sk: tableKeys.listed(createdAt, sessionId) },
  ] as const;

const maxLooks = 10;
const isSpokenIn = ({ parent }: SessionRecord): boolean => parent === undefined;
const pageOf = (sessions: SessionRecord[], nextCursor: string | undefined) => ({ sessions, ...(nextCursor !== undefined && { nextCursor }) });

/** The sessions of a tenant in its table: a record by id, and a copy in each list, written in one transaction. */
export function createSessionDirectory({ access }: { access: TenantAccess }): SessionDirectory {
  async function read({ tenantId, sessionId }: SessionRef): Promise<Record<string, unknown> | undefined> {
    const { Item } = await access.clients(tenantId, 'session-read').table.send(
      new GetCommand({
        TableName: tenantResources(tenantId).table,
        Key: { pk: tableKeys.session(sessionId), sk: tableKeys.record() },
        ConsistentRead: true,
      }),
    );
    // What stands in place of a session that was erased says nothing but that.
    return Item?.['erased'] === true ? undefined : Item;
  }

  async function get(session: SessionRef): Promise<SessionRecord | undefined> {
    const item = await read(session);
    return item && SessionRecord.parse(item);
  }

  return {
    get,

    async create(record, requestDigest) {
      const TableName = tenantResources(record.tenantId).table;
      const puts = sessionPlaces(record).map((key) => ({ Put: { TableName, Item: { ...key, ...record, requestDigest }, ConditionExpression: 'attribute_not_exists(pk)' } }));
      const write = access.clients(record.tenantId, 'session-step').table.send(new TransactWriteCommand({ TransactItems: puts }));
      if ((await brokenConditions(write)).length === 0) return record;
      const first = await read(record);
      if (first?.['userId'] !== record.userId) throw new DomainError('session/not-found', 'There is no such session.');
      mustBeSameRequest(z.string().optional().parse(first['requestDigest']), requestDigest);
      return SessionRecord.parse(first);
    },

    async list(tenantId, { userId, limit, cursor, spokenIn }) {
      const pk = userId === undefined ? tableKeys.sessions() : tableKeys.sessionsOf(userId);
      const page = (from: string | undefined, most: number) => listedPage(access.clients(tenantId, 'session-read').table, { tenantId, pk, limit: most, cursor: from }, (item) => SessionRecord.parse(item));
      const found = await page(cursor, limit);
      if (!spokenIn) return pageOf(found.items, found.nextCursor);
      const sessions = found.items.filter(isSpokenIn);
      let { nextCursor } = found;
      // The rest of a page that lacks those of agents: no further than this, however many they are.
      for (let looks = 1; looks < maxLooks && nextCursor !== undefined && sessions.length < limit; looks += 1) {
        const more = await page(nextCursor, limit - sessions.length);
        sessions.push(...more.items.filter(isSpokenIn));
        ({ nextCursor } = more);
      }
      return pageOf(sessions, nextCursor);
    },

    async hide(session) {
      const TableName = tenantResources(session.tenantId).table;
      const [record, ...lists] = sessionPlaces(session);
      const mark = { Put: { TableName, Item: { ...record, erased: true } } };
      await access.clients(session.tenantId, 'erase').table.send(new TransactWriteCommand({ TransactItems: [mark, ...lists.map((Key) => ({ Delete: { TableName, Key } }))] }));
    },

    async close(session, closedAt) {
      const record = await get(session);
      if (!record || record.closedAt) return record;
      const updates = sessionPlaces(record).map((Key) => ({
        Update: {
          TableName: tenantResources(session.tenantId).table,
          Key,
          UpdateExpression: 'SET closedAt = if_not_exists(closedAt, :at)',
          ExpressionAttributeValues: { ':at': closedAt },
        },
      }));
      await access.clients(session.tenantId, 'session-step').table.send(new TransactWriteCommand({ TransactItems: updates }));
      return { ...record, closedAt };
    },
  };
}
