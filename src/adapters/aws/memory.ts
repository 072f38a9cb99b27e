import {
  BatchCreateMemoryRecordsCommand,
  BatchDeleteMemoryRecordsCommand,
  BatchUpdateMemoryRecordsCommand,
  GetMemoryRecordCommand,
  ListMemoryRecordsCommand,
  type ListMemoryRecordsCommandInput,
  type MemoryRecord,
  type MemoryRecordSummary,
  paginateListMemoryRecords,
  RetrieveMemoryRecordsCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import { DomainError } from '../../contracts/errors';
import type { FactSource } from '../../contracts/fact';
import { type AccessPurpose, memoryNamespaces, namespaceOfUser, userOfFacts } from '../../contracts/names';
import { wellFormed } from '../../domain/well-formed';
import type { Memory, MemoryFact, MemoryOwner } from '../../ports/memory';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { ifThere, isAwsError } from './failures';
import type { TenantAccess } from './tenant-access';
import { requestIdKey } from './tenant-memories';

/** Metadata that says which turn a fact was extracted from. */
const sourceKeys = { sessionId: 'sessionId', turnId: 'turnId' } as const;

const factOf = ({ memoryRecordId, content, createdAt, metadata }: MemoryRecordSummary | MemoryRecord): MemoryFact => {
  const [sessionId, turnId] = [metadata?.[sourceKeys.sessionId]?.stringValue, metadata?.[sourceKeys.turnId]?.stringValue];
  return {
    factId: memoryRecordId ?? '',
    text: content?.text ?? '',
    createdAt: (createdAt ?? new Date(0)).toISOString(),
    ...(sessionId !== undefined && turnId !== undefined && { source: { sessionId, turnId } }),
  };
};

const metadataOf = ({ sessionId, turnId }: FactSource) => ({ [sourceKeys.sessionId]: { stringValue: sessionId }, [sourceKeys.turnId]: { stringValue: turnId } });

type MemoryAccess = ReturnType<typeof accessTo>;

function accessTo({ access, directory }: { access: TenantAccess; directory: TenantDirectory }) {
  const memoryOf = async (tenantId: string, purpose: AccessPurpose = 'memory') => ({
    client: access.clients(tenantId, purpose).agentCore,
    memoryId: (await directory.built(tenantId)).memoryId,
  });

  async function* list(tenantId: string, filter: Omit<ListMemoryRecordsCommandInput, 'memoryId'>): AsyncGenerator<MemoryRecordSummary> {
    const { client, memoryId } = await memoryOf(tenantId);
    for await (const page of paginateListMemoryRecords({ client, pageSize: 100 }, { memoryId, ...filter }))
      yield* page.memoryRecordSummaries ?? [];
  }
  return { memoryOf, list };
}

/** Long-term facts in the tenant's AgentCore memory, one namespace per user. */
export function createMemory({ access, directory }: { access: TenantAccess; directory: TenantDirectory }): Memory {
  const memory = accessTo({ access, directory });
  const { memoryOf, list } = memory;

  async function kept(tenantId: string, namespace: string, requestId: string): Promise<MemoryFact | undefined> {
    const byRequest = { left: { metadataKey: requestIdKey }, operator: 'EQUALS_TO', right: { metadataValue: { stringValue: requestId } } } as const;
    for await (const record of list(tenantId, { namespace, metadataFilters: [byRequest] })) return factOf(record);
    return undefined;
  }

  return {
    async remember({ tenantId, userId }, { requestId, text: said, source }) {
      const text = wellFormed(said);
      const namespace = memoryNamespaces.facts(userId);
      // AgentCore knows a token for a short time only; the metadata stays.
      const earlier = await kept(tenantId, namespace, requestId);
      if (earlier) return earlier;
      const { client, memoryId } = await memoryOf(tenantId);
      const timestamp = new Date();
      const metadata = { [requestIdKey]: { stringValue: requestId }, ...(source && metadataOf(source)) };
      const { successfulRecords, failedRecords } = await client.send(
        new BatchCreateMemoryRecordsCommand({
          memoryId,
          clientToken: requestId,
          records: [{ requestIdentifier: requestId, namespaces: [namespace], content: { text }, timestamp, metadata }],
        }),
      );
      const factId = successfulRecords?.[0]?.memoryRecordId;
      if (!factId) throw new Error(`AgentCore did not keep the fact: ${failedRecords?.[0]?.errorMessage ?? 'no reason given'}`);
      return { factId, text, createdAt: timestamp.toISOString(), ...(source && { source }) };
    },

    async recall({ tenantId, userId }, { text, limit = 10 }) {
      const { client, memoryId } = await memoryOf(tenantId);
      const { memoryRecordSummaries } = await client.send(
        new RetrieveMemoryRecordsCommand({
          memoryId,
          namespace: memoryNamespaces.facts(userId),
          searchCriteria: { searchQuery: wellFormed(text), topK: limit },
          maxResults: limit,
        }),
      );
      return (memoryRecordSummaries ?? []).map(factOf);
    },

    ...curated(memory),
    ...wholesale(memory),
  };
}

/** AgentCore gives no longer pages. */
const mostOnPage = 100;

/** What users see of their facts, and do about them. */
function curated({ memoryOf }: MemoryAccess): Pick<Memory, 'list' | 'get' | 'correct' | 'forget'> {
  async function find(tenantId: string, memoryRecordId: string): Promise<MemoryRecord | undefined> {
    const { client, memoryId } = await memoryOf(tenantId, 'memory-edit');
    return (await ifThere(client.send(new GetMemoryRecordCommand({ memoryId, memoryRecordId }))))?.memoryRecord;
  }

  return {
    async list({ tenantId, userId }, { limit, cursor }) {
      const { client, memoryId } = await memoryOf(tenantId, 'memory-edit');
      const page = { maxResults: Math.min(limit, mostOnPage), ...(cursor !== undefined && { nextToken: cursor }) };
      try {
        const { memoryRecordSummaries, nextToken } = await client.send(new ListMemoryRecordsCommand({ memoryId, namespace: memoryNamespaces.facts(userId), ...page }));
        return { facts: (memoryRecordSummaries ?? []).map(factOf), ...(nextToken !== undefined && { nextCursor: nextToken }) };
      } catch (error) {
        if (cursor === undefined || !isAwsError(error, 'ValidationException')) throw error;
        throw new DomainError('cursor/unknown', 'The cursor is not one of this list. Start without one.', { cause: error });
      }
    },

    async get(tenantId, factId) {
      const record = await find(tenantId, factId);
      return record && { ...factOf(record), userId: userOfFacts(record.namespaces?.[0] ?? '') };
    },

    async correct(tenantId, factId, text) {
      const { client, memoryId } = await memoryOf(tenantId, 'memory-edit');
      const update = { memoryRecordId: factId, timestamp: new Date(), content: { text } };
      const { failedRecords = [] } = await client.send(new BatchUpdateMemoryRecordsCommand({ memoryId, records: [update] }));
      const record = await find(tenantId, factId);
      // It went while it was changed.
      if (!record) throw new DomainError('memory/not-found', 'There is no such fact.');
      const [refused] = failedRecords;
      if (refused) throw new Error(`AgentCore did not change the fact: ${refused.errorMessage ?? 'no reason given'}`);
      return { ...factOf(record), text };
    },

    async forget(tenantId, factId) {
      const { client, memoryId } = await memoryOf(tenantId, 'memory-edit');
      const { failedRecords = [] } = await client.send(new BatchDeleteMemoryRecordsCommand({ memoryId, records: [{ memoryRecordId: factId }] }));
      const [refused] = failedRecords;
      if (refused && (await find(tenantId, factId))) throw new Error(`AgentCore did not delete the fact: ${refused.errorMessage ?? 'no reason given'}`);
    },
  };
}

/** All of a tenant's facts, or of a user's, at a time: for backups, their restore, and erasures. */
function wholesale({ memoryOf, list }: MemoryAccess): Pick<Memory, 'all' | 'countOf' | 'forgetUser' | 'forgetSession' | 'restore' | 'forgetAll'> {
  async function* all(tenantId: string, beginning = '/users/'): AsyncGenerator<MemoryFact & { namespace: string }> {
    let found = false;
    // AWS takes a prefix; the emulator takes the whole namespace or a pattern.
    for (const namespace of [beginning, `${beginning}*`]) {
      if (found) return;
      for await (const record of list(tenantId, { namespace })) {
        found = true;
        yield { ...factOf(record), namespace: record.namespaces?.[0] ?? '' };
      }
    }
  }
  async function* of({ tenantId, userId }: MemoryOwner, sessionId?: string): AsyncGenerator<MemoryFact> {
    for await (const fact of all(tenantId, namespaceOfUser(userId))) if (sessionId === undefined || fact.source?.sessionId === sessionId) yield fact;
  }
  /** @param left - looks again each time. */
  async function forget(tenantId: string, left: () => AsyncIterable<MemoryFact>): Promise<void> {
    const { client, memoryId } = await memoryOf(tenantId, 'erase');
    for (;;) {
      // What was listed is gone by the next look.
      const records = (await firstOf(left(), factsPerBatch)).map(({ factId }) => ({ memoryRecordId: factId }));
      if (records.length === 0) return;
      const { failedRecords = [] } = await client.send(new BatchDeleteMemoryRecordsCommand({ memoryId, records }));
      const [refused] = failedRecords;
      if (refused) throw new Error(`AgentCore did not delete ${failedRecords.length} facts: ${refused.errorMessage ?? 'no reason given'}`);
    }
  }

  return {
    all: (tenantId) => all(tenantId),

    async countOf(owner, sessionId) {
      let count = 0;
      for await (const { factId } of of(owner, sessionId)) count += factId === '' ? 0 : 1;
      return count;
    },

    forgetUser: (owner) => forget(owner.tenantId, () => of(owner)),

    forgetSession: (owner, sessionId) => forget(owner.tenantId, () => of(owner, sessionId)),

    async restore(tenantId, facts) {
      const { client, memoryId } = await memoryOf(tenantId);
      const { failedRecords = [] } = await client.send(
        new BatchCreateMemoryRecordsCommand({
          memoryId,
          records: facts.map(({ namespace, text, createdAt, source }, index) => ({
            requestIdentifier: `restored-${index}`,
            namespaces: [namespace],
            content: { text },
            timestamp: new Date(createdAt),
            ...(source && { metadata: metadataOf(source) }),
          })),
        }),
      );
      const [refused] = failedRecords;
      if (refused) throw new Error(`AgentCore did not keep ${failedRecords.length} facts: ${refused.errorMessage ?? 'no reason given'}`);
    },

    forgetAll: (tenantId) => forget(tenantId, () => all(tenantId)),
  };
}

/** AgentCore takes so many records in one request. */
const factsPerBatch = 100;

async function firstOf<T>(values: AsyncIterable<T>, count: number): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) if (found.push(value) >= count) break;
  return found;
}
