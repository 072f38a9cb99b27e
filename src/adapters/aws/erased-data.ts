import { setTimeout as delay } from 'node:timers/promises';
import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { BatchWriteCommand, GetCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { ErasedSession } from '../../contracts/erasure';
import { objectKeys, tableKeys, tenantResources } from '../../contracts/names';
import { listsOfIds, partitionsOf } from '../../domain/erasure';
import type { ErasurePlace, ErasureScope } from '../../ports/erasures';
import type { Memory } from '../../ports/memory';
import type { Waiting } from '../../ports/provisioning';
import type { PlatformClients } from './clients';
import { ifThere } from './failures';
import { deleteAllVersions } from './object-versions';
import { sessionPlaces } from './session-directory';
import type { TenantAccess } from './tenant-access';
import { tableNameOf } from './tenant-table';

/** What DynamoDB takes in one request. */
const itemsPerWrite = 25;
/** DynamoDB gives back what it had no capacity for. */
const pauseMs = 100;

interface Key {
  readonly pk: string;
  readonly sk: string;
}

interface Dependencies {
  readonly access: TenantAccess;
  readonly memory: Memory;
  /** The platform's: it may delete what it cannot read. */
  readonly s3: PlatformClients['s3'];
}

/** Where in a tenant's own resources something of a person lies. */
export const createErasedData = ({ access, memory, s3 }: Dependencies): ErasurePlace[] => [tablePlace(access), bucketPlace(s3), memoryPlace(memory)];

function tablePlace(access: TenantAccess): ErasurePlace {
  const table = (tenantId: string) => access.clients(tenantId, 'erase').table;

  async function isThere(tenantId: string, key: Key): Promise<boolean> {
    return (await table(tenantId).send(new GetCommand({ ...tableNameOf(tenantId), Key: key, ProjectionExpression: 'pk', ConsistentRead: true }))).Item !== undefined;
  }

  async function* partition(tenantId: string, pk: string): AsyncGenerator<Record<string, unknown>> {
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk }, ConsistentRead: true };
    for await (const { Items } of paginateQuery({ client: table(tenantId) }, { ...tableNameOf(tenantId), ...query })) yield* Items ?? [];
  }

  /** All but the mark that keeps a session's id from reuse. */
  async function* keysOf(tenantId: string, session: ErasedSession): AsyncGenerator<Key> {
    const { sessionId } = session;
    const [record, ...listed] = sessionPlaces(session);
    for (const pk of partitionsOf(sessionId))
      for await (const item of partition(tenantId, pk)) if (pk !== record.pk || item['sk'] !== record.sk || item['erased'] !== true) yield { pk, sk: String(item['sk']) };
    for (const key of [...listed, ...listsOfIds.map((pk) => ({ pk, sk: sessionId }))]) if (await isThere(tenantId, key)) yield key;
  }

  /** By what they say, not by the approvals: those may be gone since a worker died between the two. */
  async function* inApprovalLists({ tenantId, sessions }: ErasureScope): AsyncGenerator<Key> {
    const ids = new Set(sessions.map(({ sessionId }) => sessionId));
    for (const pk of [tableKeys.approvalList('waiting'), tableKeys.approvalList('decided')])
      for await (const { sk, sessionId } of partition(tenantId, pk)) if (ids.has(String(sessionId))) yield { pk, sk: String(sk) };
  }

  async function* keysIn(scope: ErasureScope): AsyncGenerator<Key> {
    const { tenantId, sessions, schedules } = scope;
    yield* inApprovalLists(scope);
    for (const session of sessions) yield* keysOf(tenantId, session);
    for (const name of schedules) {
      const row = { pk: tableKeys.agentSchedules(), sk: name };
      if (await isThere(tenantId, row)) yield row;
      for await (const { sk } of partition(tenantId, tableKeys.scheduledRuns(name))) yield { pk: tableKeys.scheduledRuns(name), sk: String(sk) };
    }
  }

  async function deleteAll(tenantId: string, keys: readonly Key[]): Promise<void> {
    const { table: name } = tenantResources(tenantId);
    for (let left: object[] = keys.map((Key) => ({ DeleteRequest: { Key } })); left.length > 0; ) {
      const { UnprocessedItems } = await table(tenantId).send(new BatchWriteCommand({ RequestItems: { [name]: left } }));
      left = UnprocessedItems?.[name] ?? [];
      if (left.length > 0) await delay(pauseMs);
    }
  }

  return {
    name: 'table',
    call: 'Query of every partition that bears the id of a session and of the lists of approvals, GetItem of every other list it stood in',
    async count(scope, waiting) {
      let count = 0;
      for await (const key of keysIn(scope)) if ((count += 1) % 500 === 0) beat(waiting, `${count} items found, the last ${key.pk}`);
      return count;
    },
    async erase(scope, waiting) {
      let some: Key[] = [];
      for await (const key of keysIn(scope)) {
        some.push(key);
        if (some.length < itemsPerWrite) continue;
        await deleteAll(scope.tenantId, some);
        some = [];
        beat(waiting, 'items deleted');
      }
      await deleteAll(scope.tenantId, some);
    },
  };
}

function bucketPlace(s3: PlatformClients['s3']): ErasurePlace {
  const placeOf = (tenantId: string, { sessionId }: ErasedSession) => ({ Bucket: tenantResources(tenantId).bucket, Prefix: objectKeys.batchesOf(sessionId) });
  return {
    name: 'bucket',
    call: 'ListObjectVersions of every session',
    async count({ tenantId, sessions }, waiting) {
      let count = 0;
      for (const session of sessions)
        for (let from: object | undefined = {}; from; ) {
          beat(waiting, `${count} versions found`);
          const page: ListObjectVersionsCommandOutput | undefined = await ifThere(s3.send(new ListObjectVersionsCommand({ ...placeOf(tenantId, session), ...from })));
          count += (page?.Versions?.length ?? 0) + (page?.DeleteMarkers?.length ?? 0);
          from = page?.IsTruncated ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } : undefined;
        }
      return count;
    },
    async erase({ tenantId, sessions }, waiting) {
      for (const session of sessions) await deleteAllVersions(s3, placeOf(tenantId, session), waiting);
    },
  };
}

/** Facts that the user had kept go with the user; those that were extracted from a conversation go with that, too. */
function memoryPlace(memory: Memory): ErasurePlace {
  return {
    name: 'memory',
    call: 'ListMemoryRecords of every namespace of the user',
    async count({ tenantId, subject, sessions }) {
      if ('userId' in subject) return memory.countOf({ tenantId, userId: subject.userId });
      const counts = await Promise.all(sessions.map(({ sessionId, userId }) => memory.countOf({ tenantId, userId }, sessionId)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async erase({ tenantId, subject, sessions }) {
      if ('userId' in subject) await memory.forgetUser({ tenantId, userId: subject.userId });
      else for (const { sessionId, userId } of sessions) await memory.forgetSession({ tenantId, userId }, sessionId);
    },
  };
}

function beat(waiting: Waiting, detail: string): void {
  waiting.signal.throwIfAborted();
  waiting.beat(detail);
}
