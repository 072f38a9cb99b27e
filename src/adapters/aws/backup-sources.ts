import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { GetParameterCommand, paginateGetParametersByPath, type SSMClient } from '@aws-sdk/client-ssm';
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import { tenantResources } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import type { TenantCipher } from '../../ports/cipher';
import type { Memory } from '../../ports/memory';
import type { TenantUsers } from '../../ports/provisioning';
import { BatchItem, createBatchBodies } from './session-batches';
import { createMessageBodies } from './session-messages';
import type { TenantAccess } from './tenant-access';

export interface BackupSourceDeps {
  /** The platform's own. */
  readonly ssm: SSMClient;
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
  readonly memory: Memory;
  readonly users: TenantUsers;
}

/** A part of a backup: one JSON value a line. */
export interface BackupSource {
  readonly name: string;
  readonly records: () => AsyncIterable<unknown>;
}

/** All that a tenant has, opened: what is sealed under the tenant's key could not be read once that key is gone. */
export function backupSources(deps: BackupSourceDeps, tenant: ServedTenant): BackupSource[] {
  const { tenantId, infrastructure } = tenant;
  return [
    { name: 'table.jsonl', records: () => tableRecords(deps, tenantId) },
    { name: 'objects.jsonl', records: () => objectRecords(deps, tenantId) },
    { name: 'memory.jsonl', records: () => deps.memory.all(tenantId) },
    { name: 'config.jsonl', records: () => configRecords(deps, tenantId) },
    { name: 'users.jsonl', records: () => deps.users.all(infrastructure.userPoolId) },
  ];
}

async function* tableRecords({ access, cipher }: BackupSourceDeps, tenantId: string): AsyncIterable<unknown> {
  const batches = createBatchBodies({ access, cipher });
  const messages = createMessageBodies({ cipher });
  const pages = paginateScan({ client: access.clients(tenantId).table }, { TableName: tenantResources(tenantId).table, ConsistentRead: true });
  for await (const { Items } of pages)
    for (const item of Items ?? []) {
      const { body, ...plain } = item;
      const [kind, sessionId = ''] = String(item['pk']).split('#');
      const session = { tenantId, sessionId };
      if (kind === 'EVENTS') yield { ...plain, events: await batches.open(session, BatchItem.parse(item)) };
      else if (kind === 'MESSAGES') yield { ...plain, message: await messages.open(session, String(item['sk']), body as Uint8Array) };
      else yield item;
    }
}

/** Objects hold the large batches, which table.jsonl has opened already: here they are as they lie in the bucket. */
async function* objectRecords({ access }: BackupSourceDeps, tenantId: string): AsyncIterable<unknown> {
  const { s3 } = access.clients(tenantId);
  const { bucket: Bucket } = tenantResources(tenantId);
  for await (const { Contents } of paginateListObjectsV2({ client: s3 }, { Bucket }))
    for (const { Key } of Contents ?? []) {
      const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      yield { key: Key, contentType: ContentType, base64: await Body?.transformToString('base64') };
    }
}

/** What there is, the platform may see; what it says, the tenant's role alone. */
async function* configRecords({ access, ssm }: BackupSourceDeps, tenantId: string): AsyncIterable<unknown> {
  const Path = tenantResources(tenantId).parameterPrefix.replace(/\/$/, '');
  for await (const { Parameters } of paginateGetParametersByPath({ client: ssm }, { Path, Recursive: true }))
    for (const { Name, Type } of Parameters ?? []) {
      const { Parameter } = await access.clients(tenantId).ssm.send(new GetParameterCommand({ Name, WithDecryption: true }));
      yield { name: Name, type: Type, value: Parameter?.Value };
    }
}
