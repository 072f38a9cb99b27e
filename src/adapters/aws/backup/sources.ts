import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { GetParameterCommand, paginateDescribeParameters, type SSMClient } from '@aws-sdk/client-ssm';
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import { AgentPin } from '../../../contracts/agent';
import type { BackupContentName } from '../../../contracts/backup';
import { DomainError, publicFailure } from '../../../contracts/errors';
import { attachmentOfObject, objectKeys, tableKeys, tenantResources } from '../../../contracts/names';
import type { ServedTenant } from '../../../contracts/tenant';
import type { BackupRecord } from '../../../domain/backup-content';
import type { TenantCipher } from '../../../ports/cipher';
import type { Memory } from '../../../ports/memory';
import type { TenantUsers } from '../../../ports/provisioning';
import { agentConfigOf } from '../agent-configs';
import { createPromptBodies } from '../agent-schedules';
import { createAgentBodies } from '../agents';
import { createAttachmentBodies } from '../attachments';
import { ifThere } from '../failures';
import { BatchItem, createBatchBodies, createBatchTable, firstSeqOf, lastSeqOf } from '../session-batches';
import { createMessageBodies } from '../session-messages';
import { parametersUnder } from '../inventory/data';
import type { TenantAccess } from '../tenant-access';

export interface BackupSourceDeps {
  /** The platform's own. */
  readonly ssm: SSMClient;
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
  readonly memory: Memory;
  readonly users: TenantUsers;
}

/** Where to go on behind a record: JSON that the source itself understands. */
export type Place = Readonly<Record<string, unknown>>;

export interface SourceRecord {
  readonly record: BackupRecord;
  /** Absent: after a kill, this source is read from its beginning. */
  readonly place?: Place;
}

/** One content of a backup, record by record. */
export interface BackupSource {
  readonly content: BackupContentName;
  readonly records: (behind?: Place) => AsyncIterable<SourceRecord>;
}

/** Bytes of an object in one record. */
export const chunkBytes = 256 * 1_024;

/** All that a tenant has, opened: what is sealed under the tenant's key could not be read once that key is gone. */
export function backupSources(deps: BackupSourceDeps, tenant: ServedTenant): BackupSource[] {
  const { tenantId, infrastructure } = tenant;
  return [
    { content: 'users', records: () => plainly(deps.users.all(infrastructure.userPoolId)) },
    { content: 'config', records: () => plainly(configRecords(deps, tenantId)) },
    { content: 'memory', records: () => plainly(deps.memory.all(tenantId)) },
    { content: 'table', records: (behind) => tableRecords(deps, tenantId, behind) },
    { content: 'objects', records: (behind) => objectRecords(deps, tenantId, behind) },
  ];
}

async function* plainly(records: AsyncIterable<object>): AsyncGenerator<SourceRecord> {
  for await (const record of records) yield { record: { ...record } };
}

/** What there is, the platform may see; what it says, the tenant's role alone. The list lags behind: the agent's own is asked for whatever it says. */
async function* configRecords({ access, ssm }: BackupSourceDeps, tenantId: string): AsyncGenerator<BackupRecord> {
  const { agentParameter, parameterPrefix } = tenantResources(tenantId);
  const names = new Set<string>([agentParameter]);
  for await (const { Parameters } of paginateDescribeParameters({ client: ssm }, parametersUnder(parameterPrefix))) for (const { Name } of Parameters ?? []) if (Name !== undefined) names.add(Name);
  for (const Name of names) {
    const { Parameter } = (await ifThere(access.clients(tenantId, 'backup').ssm.send(new GetParameterCommand({ Name, WithDecryption: true })))) ?? {};
    if (Parameter) yield { name: Name, type: Parameter.Type, value: Parameter.Value };
  }
}

/** The same source, which must have the configuration of the tenant's agent: without it, nothing brings the tenant back. @throws DomainError `backup/incomplete` */
export const withAgent = (source: BackupSource, tenantId: string): BackupSource => ({
  ...source,
  async *records(behind) {
    let agent: string | undefined;
    for await (const read of source.records(behind)) {
      const { name, value } = read.record;
      if (name === tenantResources(tenantId).agentParameter && typeof value === 'string') agent = value;
      yield read;
    }
    mustBeReadable(tenantId, agent);
  },
});

function mustBeReadable(tenantId: string, agent: string | undefined): void {
  try {
    agentConfigOf(tenantId, agent);
  } catch (error) {
    throw new DomainError('backup/incomplete', `The backup would not bring the tenant back. ${publicFailure(error, 'config/unreadable').message}`, { cause: error });
  }
}

/** A log's batches come in order, and without a gap although the log may grow meanwhile. */
async function* tableRecords({ access, cipher }: BackupSourceDeps, tenantId: string, behind?: Place): AsyncGenerator<SourceRecord> {
  const open = opening({ access, cipher }, tenantId);
  const batches = createBatchTable({ access });
  const log = { pk: typeof behind?.['pk'] === 'string' ? behind['pk'] : '', lastSeq: Number(behind?.['lastSeq'] ?? 0) };
  const start = behind && { ExclusiveStartKey: { pk: behind['pk'], sk: behind['sk'] } };
  const pages = paginateScan({ client: access.clients(tenantId, 'backup').table }, { TableName: tenantResources(tenantId).table, ConsistentRead: true, ...start });
  for await (const { Items } of pages)
    for (const item of Items ?? []) {
      const pk = String(item['pk']);
      if (!pk.startsWith(tableKeys.events(''))) {
        yield { record: await open(item), place: { pk, sk: item['sk'] } };
        continue;
      }
      if (pk !== log.pk) Object.assign(log, { pk, lastSeq: 0 });
      // A page is no snapshot: it can show a batch without the one before it, which is there all the same.
      const batch = BatchItem.parse(item);
      const session = { tenantId, sessionId: pk.slice(tableKeys.events('').length) };
      for await (const missed of batches.chain(session, { after: log.lastSeq, upTo: firstSeqOf(batch) - 1, aligned: true })) yield { record: await open({ pk, ...missed }) };
      log.lastSeq = lastSeqOf(batch);
      yield { record: await open(item), place: { pk, sk: item['sk'], lastSeq: log.lastSeq } };
    }
}

/** Opens what is sealed in an item. @throws Error for a kind nobody has taught it: it could not be restored. */
function opening({ access, cipher }: Pick<BackupSourceDeps, 'access' | 'cipher'>, tenantId: string) {
  const batches = createBatchBodies({ access, cipher });
  const messages = createMessageBodies({ cipher });
  const attachments = createAttachmentBodies({ cipher });
  const agents = createAgentBodies({ cipher });
  const prompts = createPromptBodies({ cipher });
  return async (item: Record<string, unknown>): Promise<BackupRecord> => {
    const { body, ...plain } = item;
    if (!(body instanceof Uint8Array)) return item;
    const [kind, sessionId = ''] = String(item['pk']).split('#');
    const session = { tenantId, sessionId };
    if (kind === 'EVENTS') return { ...plain, events: await batches.open(session, BatchItem.parse(item)) };
    if (kind === 'MESSAGES') {
      const { userId, text, attachments: attached } = await messages.open(session, String(item['sk']), body);
      return { ...plain, message: { userId, text, ...(attached && { attachments: attached }) } };
    }
    if (kind === 'ATTACHMENTS') return { ...plain, attachment: await attachments.open(session, String(item['sk']), body) };
    if (kind === 'AGENT') return { ...plain, settings: await agents.open(tenantId, AgentPin.parse(item), body) };
    if (kind === tableKeys.agentSchedules()) return { ...plain, prompt: await prompts.open(tenantId, String(item['sk']), body) };
    throw new Error(`The backup does not know how to open items ${kind ?? ''} of the table.`);
  };
}

/** Objects but those that hold large batches: the table's records have these opened. What was attached is opened here. */
async function* objectRecords({ access, cipher }: BackupSourceDeps, tenantId: string, behind?: Place): AsyncGenerator<SourceRecord> {
  const { s3 } = access.clients(tenantId, 'backup');
  const attachments = createAttachmentBodies({ cipher });
  const { bucket: Bucket } = tenantResources(tenantId);
  const after = typeof behind?.['key'] === 'string' ? { StartAfter: behind['key'] } : {};
  for await (const { Contents } of paginateListObjectsV2({ client: s3 }, { Bucket, ...after }))
    for (const { Key } of Contents ?? []) {
      const attached = Key === undefined ? undefined : attachmentOfObject(Key);
      if (Key === undefined || (Key.startsWith(objectKeys.batches) && !attached)) continue;
      const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      if (!attached) yield* chunksOf(Key, ContentType, Body as unknown as AsyncIterable<Uint8Array>);
      else yield* chunksOf(Key, ContentType, [await attachments.openContent({ tenantId, sessionId: attached.sessionId }, attached.attachmentId, (await Body?.transformToByteArray()) ?? new Uint8Array())]);
    }
}

/** An object in pieces, so that none is held whole. The last one says so, and is where to go on. */
async function* chunksOf(key: string, contentType: string | undefined, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<SourceRecord> {
  let pending = Buffer.alloc(0);
  let chunk = 0;
  const recordOf = (bytes: Buffer, last: boolean): BackupRecord => ({ key, ...(contentType !== undefined && { contentType }), chunk: chunk++, last, base64: bytes.toString('base64') });
  for await (const bytes of body) {
    pending = Buffer.concat([pending, bytes]);
    for (; pending.byteLength > chunkBytes; pending = pending.subarray(chunkBytes)) yield { record: recordOf(pending.subarray(0, chunkBytes), false) };
  }
  yield { record: recordOf(pending, true), place: { key } };
}
