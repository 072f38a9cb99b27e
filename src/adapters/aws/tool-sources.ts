import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { tableKeys } from '../../contracts/names';
import { ToolSource } from '../../contracts/tool-source';
import type { ToolSources } from '../../ports/tool-sources';
import type { TenantAccess } from './tenant-access';
import { allOfPartition, tableNameOf } from './tenant-table';

/** What another process has changed of a source is seen after this. */
const cacheMs = 2_000;

/**
 * Sources in the tenant's table, each one item. What they describe is no secret: their secrets are elsewhere. They take the rights that approvals
 * have, which are listed and changed beside sessions, too.
 */
export function createToolSources({ access }: { access: TenantAccess }): ToolSources {
  const tableOf = (tenantId: string) => access.clients(tenantId, 'approvals').table;
  const placeOf = (tenantId: string, name: string) => ({ ...tableNameOf(tenantId), Key: { pk: tableKeys.toolSources(), sk: name } });
  const parse = (item: Record<string, unknown>) => ToolSource.parse(JSON.parse(String(item['source'])));

  const list = (tenantId: string): Promise<ToolSource[]> => allOfPartition(tableOf(tenantId), tenantId, tableKeys.toolSources(), parse);
  const cache = new LRUCache<string, ToolSource[]>({ max: 1_000, ttl: cacheMs, fetchMethod: list });

  return {
    list,
    async known(tenantId, names) {
      const among = (sources: readonly ToolSource[]) => sources.filter(({ name }) => names.has(name));
      const found = among(await cache.forceFetch(tenantId));
      // Whoever made one and speaks to its agent at once is not told that there is no such tool.
      return found.length === names.size ? found : among(await cache.forceFetch(tenantId, { forceRefresh: true }));
    },

    async get(tenantId, name) {
      const { Item } = await tableOf(tenantId).send(new GetCommand({ ...placeOf(tenantId, name), ConsistentRead: true }));
      return Item && parse(Item);
    },

    async put(tenantId, source) {
      const { TableName, Key } = placeOf(tenantId, source.name);
      await tableOf(tenantId).send(new PutCommand({ TableName, Item: { ...Key, source: JSON.stringify(ToolSource.parse(source)) } }));
      cache.delete(tenantId);
    },

    async delete(tenantId, name) {
      const { Attributes } = await tableOf(tenantId).send(new DeleteCommand({ ...placeOf(tenantId, name), ReturnValues: 'ALL_OLD' }));
      cache.delete(tenantId);
      return Attributes !== undefined;
    },
  };
}
