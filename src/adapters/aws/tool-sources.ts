import { randomUUID } from 'node:crypto';
import { DeleteCommand, GetCommand, PutCommand, type PutCommandInput } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { DomainError } from '../../contracts/errors';
import { tableKeys } from '../../contracts/names';
import { ToolSource } from '../../contracts/tool-source';
import { omit } from '../../domain/omit';
import type { ToolSources } from '../../ports/tool-sources';
import { unlessRefused } from './failures';
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
  const parse = ({ source, revision }: Record<string, unknown>) => ToolSource.parse({ ...(JSON.parse(String(source)) as object), revision });

  const list = (tenantId: string): Promise<ToolSource[]> => allOfPartition(tableOf(tenantId), tenantId, tableKeys.toolSources(), parse);
  const read = async (tenantId: string, name: string) => (await tableOf(tenantId).send(new GetCommand({ ...placeOf(tenantId, name), ConsistentRead: true }))).Item;
  const get = async (tenantId: string, name: string): Promise<ToolSource | undefined> => {
    const item = await read(tenantId, name);
    return item && parse(item);
  };
  const cache = new LRUCache<string, ToolSource[]>({ max: 1_000, ttl: cacheMs, fetchMethod: list });

  return {
    list,
    async known(tenantId, names) {
      const among = (sources: readonly ToolSource[]) => sources.filter(({ name }) => names.has(name));
      const found = among(await cache.forceFetch(tenantId));
      // Whoever made one and speaks to its agent at once is not told that there is no such tool.
      return found.length === names.size ? found : among(await cache.forceFetch(tenantId, { forceRefresh: true }));
    },

    get,

    async put(tenantId, source, earlier) {
      const { TableName, Key } = placeOf(tenantId, source.name);
      const revision = randomUUID();
      const Item = { ...Key, source: JSON.stringify(ToolSource.parse(omit(source, 'revision'))), revision };
      const write = tableOf(tenantId).send(new PutCommand({ TableName, Item, ...ifStill(earlier) }));
      await unlessRefused(write, async (cause) => {
        // The answer to an earlier attempt of this write may have been lost.
        if ((await get(tenantId, source.name))?.revision === revision) return;
        throw new DomainError('tool-source/changed', `Somebody else has changed the source ${source.name} meanwhile. Look at what it is now, then do it again if it is still to be done.`, { cause });
      });
      cache.delete(tenantId);
    },

    async delete(tenantId, name) {
      // Not what the delete itself found: its answer may be lost, and the client sends it again.
      const isThere = (await read(tenantId, name)) !== undefined;
      await tableOf(tenantId).send(new DeleteCommand(placeOf(tenantId, name)));
      cache.delete(tenantId);
      return isThere;
    },
  };
}

/** That a source is as it was read. */
function ifStill(earlier: ToolSource | undefined): Pick<PutCommandInput, 'ConditionExpression' | 'ExpressionAttributeValues'> {
  if (!earlier) return { ConditionExpression: 'attribute_not_exists(pk)' };
  if (earlier.revision === undefined) return { ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(revision)' };
  return { ConditionExpression: 'revision = :revision', ExpressionAttributeValues: { ':revision': earlier.revision } };
}
