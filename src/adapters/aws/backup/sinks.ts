import { setTimeout as delay } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { Upload } from '@aws-sdk/lib-storage';
import { BatchGetCommand, BatchWriteCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { AgentPin } from '../../../contracts/agent';
import { EventBody } from '../../../contracts/events';
import { FactSource } from '../../../contracts/fact';
import { type AccessPurpose, attachmentOfObject, tableKeys, tenantResources } from '../../../contracts/names';
import { AgentConfig } from '../../../contracts/tenant';
import { type BackupRecord, mapNamespace, type MapUser } from '../../../domain/backup-content';
import { besideOwn, type Heads, outliving } from '../../../domain/counted-use';
import type { FactToRestore } from '../../../ports/memory';
import type { Waiting } from '../../../ports/provisioning';
import { createPromptBodies } from '../agent-schedules';
import { createAgentBodies } from '../agents';
import { AttachmentDescription, createAttachmentBodies } from '../attachments';
import { ifThere } from '../failures';
import { createBatchBodies } from '../session-batches';
import { createMessageBodies, MessageContent } from '../session-messages';
import type { BackupSourceDeps } from './sources';

/** What DynamoDB takes in one request. */
const itemsPerWrite = 25;
const factsPerWrite = 100;
const firstPauseMs = 50;
const longestPauseMs = 5_000;

type Item = Record<string, unknown>;
type TableDeps = Pick<BackupSourceDeps, 'access' | 'cipher'>;

/** Writes items, sealed anew. Writing one again replaces it by the same. */
export class TableSink {
  private pending: Item[] = [];
  private readonly seal: (record: BackupRecord) => Promise<Item>;

  constructor(
    private readonly deps: TableDeps,
    private readonly tenantId: string,
    private readonly waiting: Waiting,
  ) {
    this.seal = sealing(deps, tenantId);
  }

  async add(record: BackupRecord): Promise<void> {
    this.pending.push(await this.seal(record));
    if (this.pending.length >= itemsPerWrite) await this.flush();
  }

  async flush(): Promise<void> {
    const requests = this.pending.map((Item) => ({ PutRequest: { Item } }));
    this.pending = [];
    await writeBatch(this.deps, { tenantId: this.tenantId, purpose: 'restore' }, requests, this.waiting);
  }
}

/** Writes what was used, and places up to which it was counted, beside what the tenant has of these. */
export class UseSink {
  private pending: { readonly record: BackupRecord; readonly was: BackupRecord }[] = [];

  constructor(
    private readonly deps: TableDeps,
    private readonly tenantId: string,
    private readonly waiting: Waiting,
  ) {}

  /** @param was - the record with the user ids of the backup: the tenant's own may have them still. */
  async add(record: BackupRecord, was: BackupRecord): Promise<void> {
    this.pending.push({ record, was });
    if (this.pending.length >= itemsPerWrite) await this.flush();
  }

  async flush(): Promise<void> {
    const own = await itemsBy(this.deps, this.tenantId, this.pending.flatMap(({ record, was }) => [record, was]), this.waiting);
    const added = this.pending.flatMap(({ record, was }) => besideOwn(own.get(keyOf(record)) ?? own.get(keyOf(was)), record) ?? []);
    this.pending = [];
    await writeBatch(this.deps, { tenantId: this.tenantId, purpose: 'restore' }, added.map((Item) => ({ PutRequest: { Item } })), this.waiting);
  }
}

const keyOf = ({ pk, sk }: BackupRecord): string => JSON.stringify([pk, sk]);

/** Those that are there of the items with the keys of these records. */
async function itemsBy({ access }: TableDeps, tenantId: string, records: readonly BackupRecord[], { signal }: Waiting): Promise<Map<string, BackupRecord>> {
  const { table: name } = tenantResources(tenantId);
  const found = new Map<string, BackupRecord>();
  let left: Item[] = [...new Map(records.map((record) => [keyOf(record), { pk: record['pk'], sk: record['sk'] }])).values()];
  for (let pauseMs = firstPauseMs; left.length > 0; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    const { Responses, UnprocessedKeys } = await access.clients(tenantId, 'restore').table.send(new BatchGetCommand({ RequestItems: { [name]: { Keys: left, ConsistentRead: true } } }));
    for (const item of Responses?.[name] ?? []) found.set(keyOf(item), item);
    left = UnprocessedKeys?.[name]?.Keys ?? [];
    if (left.length > 0) await delay(pauseMs, undefined, { signal });
  }
  return found;
}

/** Deletes every item but those that outlive a restore. @param heads - of the logs that are about to come. */
export async function emptyTable(deps: TableDeps, tenantId: string, heads: Heads, waiting: Waiting): Promise<void> {
  const pages = paginateScan({ client: deps.access.clients(tenantId, 'erase').table }, { TableName: tenantResources(tenantId).table, ConsistentRead: true });
  for await (const { Items = [] } of pages)
    for (let start = 0; start < Items.length; start += itemsPerWrite) {
      const requests = Items.slice(start, start + itemsPerWrite).flatMap((item: Item) => emptying(item, heads));
      await writeBatch(deps, { tenantId, purpose: 'erase' }, requests, waiting);
      waiting.beat('emptying the table');
    }
}

function emptying(item: Item, heads: Heads): object[] {
  const left = outliving(item, heads);
  if (!left) return [{ DeleteRequest: { Key: { pk: item['pk'], sk: item['sk'] } } }];
  return left === item ? [] : [{ PutRequest: { Item: left } }];
}

/** DynamoDB gives back what it had no capacity for. */
async function writeBatch({ access }: TableDeps, { tenantId, purpose }: { tenantId: string; purpose: AccessPurpose }, requests: object[], { signal }: Waiting): Promise<void> {
  const { table: name } = tenantResources(tenantId);
  let left: object[] = requests;
  for (let pauseMs = firstPauseMs; left.length > 0; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    const { UnprocessedItems } = await access.clients(tenantId, purpose).table.send(new BatchWriteCommand({ RequestItems: { [name]: left } }));
    left = UnprocessedItems?.[name] ?? [];
    if (left.length > 0) await delay(pauseMs, undefined, { signal });
  }
}

const SealedBatch = z.looseObject({ pk: z.string(), sk: z.string(), batchKey: z.string(), events: EventBody.array() });
const SealedMessage = z.looseObject({ pk: z.string(), sk: z.string(), message: MessageContent });
const SealedAttachment = z.looseObject({ pk: z.string(), sk: z.string(), attachment: AttachmentDescription });
const SealedAgent = z.looseObject({ ...AgentPin.shape, settings: AgentConfig });

const SealedPrompt = z.looseObject({ pk: z.string(), sk: z.string(), prompt: z.string() });

/** Puts a record back into the form the table has it in, under the tenant's key. */
function sealing({ access, cipher }: TableDeps, tenantId: string) {
  const batches = createBatchBodies({ access, cipher });
  const messages = createMessageBodies({ cipher });
  const attachments = createAttachmentBodies({ cipher });
  const agents = createAgentBodies({ cipher });
  const prompts = createPromptBodies({ cipher });
  return async (record: BackupRecord): Promise<Item> => {
    const owned = record['tenantId'] === undefined ? record : { ...record, tenantId };
    if (record['events'] !== undefined) {
      const { events, ...item } = SealedBatch.parse(owned);
      const session = { tenantId, sessionId: item.pk.slice(tableKeys.events('').length) };
      return { ...item, ...(await batches.seal(session, item, events, 'restored')) };
    }
    if (record['message'] !== undefined) {
      const { message, ...item } = SealedMessage.parse(owned);
      const session = { tenantId, sessionId: item.pk.slice(tableKeys.messages('').length) };
      return { ...item, body: await messages.seal(session, { turnId: item.sk, ...message }) };
    }
    if (record['attachment'] !== undefined) {
      const { attachment, ...item } = SealedAttachment.parse(owned);
      const session = { tenantId, sessionId: item.pk.slice(tableKeys.attachments('').length) };
      return { ...item, body: await attachments.seal(session, item.sk, attachment) };
    }
    if (record['settings'] !== undefined) {
      const { settings, ...item } = SealedAgent.parse(owned);
      return { ...item, body: await agents.seal(tenantId, item, settings) };
    }
    if (record['prompt'] !== undefined) {
      const { prompt, ...item } = SealedPrompt.parse(owned);
      return { ...item, body: await prompts.seal(tenantId, item.sk, prompt) };
    }
    return { ...owned };
  };
}

/** Writes facts, a request for many. */
export class MemorySink {
  private pending: FactToRestore[] = [];

  constructor(
    private readonly deps: Pick<BackupSourceDeps, 'memory'>,
    private readonly tenantId: string,
    private readonly map: MapUser,
  ) {}

  async add(record: BackupRecord): Promise<void> {
    const namespace = mapNamespace(String(record['namespace']), this.map);
    const source = FactSource.safeParse(record['source']).data;
    this.pending.push({ namespace, text: String(record['text']), createdAt: String(record['createdAt']), ...(source && { source }) });
    if (this.pending.length >= factsPerWrite) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.pending.length > 0) await this.deps.memory.restore(this.tenantId, this.pending);
    this.pending = [];
  }
}

/** Parameters of the tenant; those it has besides are deleted at the end. */
export class ConfigSink {
  private readonly names = new Set<string>();

  constructor(
    private readonly deps: Pick<BackupSourceDeps, 'access'>,
    private readonly tenantId: string,
    private readonly sourceTenantId: string,
  ) {}

  async add(record: BackupRecord): Promise<void> {
    const { parameterPrefix, keyAlias } = tenantResources(this.tenantId);
    const Name = String(record['name']).replace(tenantResources(this.sourceTenantId).parameterPrefix, parameterPrefix);
    this.names.add(Name);
    const Type = record['type'] === 'SecureString' ? ({ Type: 'SecureString', KeyId: keyAlias } as const) : ({ Type: 'String' } as const);
    const { ssm } = this.deps.access.clients(this.tenantId, 'restore');
    await ssm.send(new PutParameterCommand({ Name, Value: String(record['value']), ...Type, Overwrite: true, Tier: 'Intelligent-Tiering' }));
  }

  async deleteOthers(existing: readonly string[]): Promise<void> {
    const { ssm } = this.deps.access.clients(this.tenantId, 'erase');
    for (const Name of existing) if (!this.names.has(Name)) await ifThere(ssm.send(new DeleteParameterCommand({ Name })));
  }
}

/** Joins an object's chunks again, streamed; what was attached is sealed anew, in one piece. */
export class ObjectSink {
  private open: { key: string; body: PassThrough; done: Promise<unknown> } | undefined;
  private attached: Buffer[] = [];

  constructor(
    private readonly deps: TableDeps,
    private readonly tenantId: string,
  ) {}

  async add(record: BackupRecord): Promise<void> {
    const { key, contentType, chunk, last, base64 } = ObjectChunk.parse(record);
    if (attachmentOfObject(key)) return this.attach(key, { chunk, last, bytes: Buffer.from(base64, 'base64') });
    if (chunk === 0) this.open = this.begin(key, contentType);
    if (this.open?.key !== key) throw new Error(`The beginning of object ${key} is missing.`);
    const { body, done } = this.open;
    if (!body.write(Buffer.from(base64, 'base64'))) await Promise.race([new Promise((resolve) => body.once('drain', resolve)), done]);
    if (!last) return;
    body.end();
    await done;
    this.open = undefined;
  }

  private async attach(Key: string, { chunk, last, bytes }: { chunk: number; last: boolean; bytes: Buffer }): Promise<void> {
    const { access, cipher } = this.deps;
    const { sessionId = '', attachmentId = '' } = attachmentOfObject(Key) ?? {};
    if (chunk === 0) this.attached = [];
    if (chunk !== this.attached.length) throw new Error(`A part of object ${Key} is missing.`);
    this.attached.push(bytes);
    if (!last) return;
    const Body = await createAttachmentBodies({ cipher }).sealContent({ tenantId: this.tenantId, sessionId }, attachmentId, Buffer.concat(this.attached));
    await access.clients(this.tenantId, 'restore').s3.send(new PutObjectCommand({ Bucket: tenantResources(this.tenantId).bucket, Key, Body }));
    this.attached = [];
  }

  private begin(Key: string, ContentType: string | undefined) {
    const body = new PassThrough();
    const { bucket: Bucket } = tenantResources(this.tenantId);
    const params = { Bucket, Key, Body: body, ...(ContentType !== undefined && { ContentType }) };
    const done = new Upload({ client: this.deps.access.clients(this.tenantId, 'restore').s3, queueSize: 1, params }).done();
    // Whoever waits for it hears of a failure.
    done.catch(() => undefined);
    return { key: Key, body, done };
  }
}

const ObjectChunk = z.object({
  key: z.string(),
  contentType: z.string().optional(),
  chunk: z.number().int(),
  last: z.boolean(),
  base64: z.string(),
});
