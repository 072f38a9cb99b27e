import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { platformResources } from '../../contracts/names';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { dataKeyMaxAgeMs, required, usingKey } from './envelope';
import { unlessRefused } from './failures';
import type { TenantAccess } from './tenant-access';
import { unlessAway } from './tenant-cipher';

export interface HistoryKeysDeps {
  /** Where the registry is. */
  readonly table: DynamoDBDocumentClient;
  readonly directory: TenantDirectory;
  readonly access: TenantAccess;
}

/** Data keys that outlive the process: wrapped, they lie in the tenant's entry of the registry, and payloads name them by id. */
export interface HistoryKeys {
  /** What is written with now: made when there is none for the tenant's key and its generation. @throws DomainError `key/unavailable` … */
  current(tenantId: string): Promise<HistoryKey>;
  /** @throws DomainError `key/unavailable`, also when the tenant has no such key (any more). */
  named(tenantId: string, id: string): Promise<HistoryKey>;
}

/** Bytes of an id. Random: a tenant that is built anew under the same id has other keys, and they are not mistaken for each other. */
export const historyKeyIdBytes = 4;
/** Bytes that stand for a workflow's id. */
export const workflowMarkBytes = 8;

const TableName = platformResources.registryTable;

/** As it lies in the registry, beside the record. It goes with the tenant: a tombstone has none. */
const WrappedKey = z.object({
  id: z.string(),
  /** In base64. */
  wrapped: z.string(),
  keyArn: z.string(),
  /** The generation of the tenant's key it was made in; empty before the first rotation. */
  generation: z.string(),
});
type WrappedKey = z.infer<typeof WrappedKey>;

/**
 * One data key. It encrypts nothing itself: each workflow has a key of its own, derived from it, so that what one key encrypts stays
 * far below what is safe for random IVs however long the data key lives, and no ciphertext opens in another workflow.
 */
export class HistoryKey {
  private readonly marks = new LRUCache<string, Buffer>({
    max: 500,
    memoMethod: (workflowId) => createHmac('sha256', this.secret).update(`workflow ${workflowId}`).digest().subarray(0, workflowMarkBytes),
  });
  private readonly workflowKeys = new LRUCache<string, Buffer>({ max: 500, memoMethod: (mark) => Buffer.from(hkdfSync('sha256', this.secret, '', `tenure history 2 ${mark}`, 32)) });

  constructor(
    readonly id: string,
    private readonly secret: Buffer,
  ) {}

  /** Stands for a workflow's id. Who has no key can neither tell which it is nor find two that have the same. */
  markOf(workflowId: string): Buffer {
    return this.marks.memo(workflowId);
  }

  workflowKey(mark: Buffer): Buffer {
    return this.workflowKeys.memo(mark.toString('hex'));
  }
}

/** Wrapped keys in the tenants' entries of the registry. */
function wrappedKeysIn(table: DynamoDBDocumentClient) {
  async function kept(tenantId: string): Promise<WrappedKey[]> {
    const { Item } = await table.send(new GetCommand({ TableName, Key: { tenantId }, ProjectionExpression: 'historyKeys', ConsistentRead: true }));
    return z.array(WrappedKey).parse(Item?.['historyKeys'] ?? []);
  }

  /** @returns false when somebody else has added one, or the key is another meanwhile: look again. */
  async function keep(tenantId: string, key: WrappedKey, known: number): Promise<boolean> {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { tenantId },
        UpdateExpression: 'SET historyKeys = list_append(if_not_exists(historyKeys, :none), :key)',
        ConditionExpression: `infrastructure.keyArn = :arn AND ${known === 0 ? 'attribute_not_exists(historyKeys)' : 'size(historyKeys) = :known'} AND ${key.generation === '' ? 'attribute_not_exists(keyGeneration)' : 'keyGeneration = :generation'}`,
        ExpressionAttributeValues: {
          ':none': [],
          ':key': [key],
          ':arn': key.keyArn,
          ...(known > 0 && { ':known': known }),
          ...(key.generation !== '' && { ':generation': key.generation }),
        },
      }),
    );
    return unlessRefused(
      write.then(() => true),
      () => false,
    );
  }

  return { kept, keep };
}

/** See docs/decisions/0051-keys-of-histories.md. */
export function createHistoryKeys({ table, directory, access }: HistoryKeysDeps): HistoryKeys {
  const lookups = new LRUCache<string, () => Promise<{ keyArn: string; generation: string }>>({
    max: 1_000,
    memoMethod: (tenantId) =>
      unlessAway(async () => {
        const { infrastructure, keyGeneration } = await directory.built(tenantId);
        return { keyArn: infrastructure.keyArn, generation: keyGeneration ?? '' };
      }),
  });
  const keyOf = (tenantId: string) => lookups.memo(tenantId)();
  const contextOf = (tenantId: string) => ({ tenant: tenantId, purpose: 'history' });
  const { kept, keep } = wrappedKeysIn(table);

  async function make(tenantId: string, { keyArn: KeyId, generation }: { keyArn: string; generation: string }): Promise<WrappedKey> {
    const request = new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: contextOf(tenantId) });
    const made = await usingKey(KeyId, access.clients(tenantId, 'encryption').kms.send(request));
    return { id: randomBytes(historyKeyIdBytes).toString('hex'), wrapped: required(made.CiphertextBlob).toString('base64'), keyArn: KeyId, generation };
  }

  /** By tenant, key and generation: which is written with. It never changes. */
  const currents = new LRUCache<string, WrappedKey, { tenantId: string; of: { keyArn: string; generation: string } }>({
    max: 5_000,
    async fetchMethod(_label, _stale, { context: { tenantId, of } }) {
      const keys = await kept(tenantId);
      const current = keys.findLast(({ keyArn, generation }) => keyArn === of.keyArn && generation === of.generation);
      if (current) return current;
      const key = await make(tenantId, of);
      if (await keep(tenantId, key, keys.length)) return key;
      const theirs = (await kept(tenantId)).findLast(({ keyArn, generation }) => keyArn === of.keyArn && generation === of.generation);
      if (theirs) return theirs;
      throw new DomainError('dependency/unavailable', `The key of tenant ${tenantId} changes just now: try again.`);
    },
  });

  /** Unwrapped, for minutes: then KMS is asked again whether it still may be. */
  const unwrapped = new LRUCache<string, HistoryKey, { tenantId: string; key: WrappedKey }>({
    max: 5_000,
    ttl: dataKeyMaxAgeMs,
    async fetchMethod(_label, _stale, { context: { tenantId, key } }) {
      const request = new DecryptCommand({ KeyId: key.keyArn, CiphertextBlob: Buffer.from(key.wrapped, 'base64'), EncryptionContext: contextOf(tenantId) });
      return new HistoryKey(key.id, required((await usingKey(key.keyArn, access.clients(tenantId, 'encryption').kms.send(request))).Plaintext));
    },
  });
  const labelOf = (tenantId: string, id: string) => `${tenantId}/${id}`;
  const unwrap = (tenantId: string, key: WrappedKey) => unwrapped.forceFetch(labelOf(tenantId, key.id), { context: { tenantId, key } });

  return {
    async current(tenantId) {
      const of = await keyOf(tenantId);
      return unwrap(tenantId, await currents.forceFetch(JSON.stringify([tenantId, of.keyArn, of.generation]), { context: { tenantId, of } }));
    },

    async named(tenantId, id) {
      const known = unwrapped.get(labelOf(tenantId, id));
      if (known) return known;
      const { keyArn } = await keyOf(tenantId);
      const key = (await kept(tenantId)).find((one) => one.id === id);
      // Of a tenant that was built anew, the key before is out of reach, or gone.
      if (key?.keyArn !== keyArn) throw new DomainError('key/unavailable', `Tenant ${tenantId} has no data key ${id} (any more): what it encrypted is unreadable.`);
      return unwrap(tenantId, key);
    },
  };
}
