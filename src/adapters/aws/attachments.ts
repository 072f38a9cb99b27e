import { createHash } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { GetCommand, paginateQuery, PutCommand } from '@aws-sdk/lib-dynamodb';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { AttachmentId, StoredAttachment } from '../../contracts/attachment';
import { derivedId } from '../../contracts/ids';
import { objectKeys, tableKeys, tenantResources } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { Attachments } from '../../ports/attachments';
import type { TenantCipher } from '../../ports/cipher';
import { dataKeyMaxAgeMs } from './envelope';
import { isAwsError } from './failures';
import type { TenantAccess } from './tenant-access';
import { listedPage } from './tenant-table';

const AttachmentItem = z.object({ sk: AttachmentId, createdAt: z.string(), body: z.instanceof(Uint8Array) });
type AttachmentItem = z.infer<typeof AttachmentItem>;

const listKeys = { beginning: 'att-', cursors: 'attachments' } as const;

/** Of images and documents that conversations under way show their models step by step. */
const cacheBytes = 48 * 1_024 * 1_024;

/** What the item says besides when it was made. */
export const AttachmentDescription = StoredAttachment.pick({ name: true, mediaType: true, bytes: true, sha256: true });
type Description = Pick<StoredAttachment, keyof typeof AttachmentDescription.shape>;

/** Seals what an attachment is, and what it says, each bound to its place. */
export function createAttachmentBodies({ cipher }: { cipher: TenantCipher }) {
  const contextOf = (purpose: 'attachment' | 'attachment-object', sessionId: string, attachmentId: string) => ({ purpose, session: sessionId, attachment: attachmentId });
  return {
    seal: ({ tenantId, sessionId }: SessionRef, attachmentId: string, description: Description): Promise<Uint8Array> =>
      cipher.seal(tenantId, contextOf('attachment', sessionId, attachmentId), Buffer.from(JSON.stringify(AttachmentDescription.parse(description)))),

    async open({ tenantId, sessionId }: SessionRef, attachmentId: string, sealed: Uint8Array): Promise<Description> {
      const plain = await cipher.open(tenantId, contextOf('attachment', sessionId, attachmentId), sealed);
      return AttachmentDescription.parse(JSON.parse(Buffer.from(plain).toString('utf8')));
    },

    sealContent: ({ tenantId, sessionId }: SessionRef, attachmentId: string, content: Uint8Array): Promise<Uint8Array> =>
      cipher.seal(tenantId, contextOf('attachment-object', sessionId, attachmentId), content),

    openContent: ({ tenantId, sessionId }: SessionRef, attachmentId: string, sealed: Uint8Array): Promise<Uint8Array> =>
      cipher.open(tenantId, contextOf('attachment-object', sessionId, attachmentId), sealed),
  };
}

/** An item in the tenant's table says what it is, an object in the tenant's bucket holds its bytes, see docs/decisions/0075-attachments.md. */
export function createAttachments({ access, cipher }: { access: TenantAccess; cipher: TenantCipher }): Attachments {
  const bodies = createAttachmentBodies({ cipher });
  // Nothing is in memory for longer than the key it came from: once that is disabled, its tenant's attachments cannot be read here, either.
  const lately = new LRUCache<string, Uint8Array>({ maxSize: cacheBytes, sizeCalculation: ({ byteLength }) => byteLength, ttl: dataKeyMaxAgeMs });

  async function get({ tenantId, sessionId }: SessionRef, attachmentId: string): Promise<StoredAttachment | undefined> {
    const Key = { pk: tableKeys.attachments(sessionId), sk: attachmentId };
    const { Item } = await access.clients(tenantId, 'session-read').table.send(new GetCommand({ TableName: tenantResources(tenantId).table, Key, ConsistentRead: true }));
    return Item && opened({ tenantId, sessionId }, AttachmentItem.parse(Item));
  }

  const opened = async (session: SessionRef, { sk: attachmentId, createdAt, body }: AttachmentItem): Promise<StoredAttachment> => ({ attachmentId, createdAt, ...(await bodies.open(session, attachmentId, body)) });

  /** The object first: what is in the table can be read. */
  async function write(session: SessionRef, { attachmentId, createdAt, ...description }: StoredAttachment, content: Uint8Array): Promise<void> {
    const { tenantId, sessionId } = session;
    const { bucket: Bucket, table: TableName } = tenantResources(tenantId);
    const { s3, table } = access.clients(tenantId, 'session-step');
    await s3.send(new PutObjectCommand({ Bucket, Key: objectKeys.attachment(sessionId, attachmentId), Body: await bodies.sealContent(session, attachmentId, content) }));
    const body = await bodies.seal(session, attachmentId, description);
    await table.send(new PutCommand({ TableName, Item: { pk: tableKeys.attachments(sessionId), sk: attachmentId, createdAt, body } }));
  }

  async function read(session: SessionRef, attachmentId: string): Promise<Uint8Array | undefined> {
    const { tenantId, sessionId } = session;
    const Key = objectKeys.attachment(sessionId, attachmentId);
    const label = `${tenantId}/${Key}`;
    const known = lately.get(label);
    if (known) return known;
    try {
      const { Body } = await access.clients(tenantId, 'session-read').s3.send(new GetObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key }));
      const content = await bodies.openContent(session, attachmentId, (await Body?.transformToByteArray()) ?? new Uint8Array());
      lately.set(label, content);
      return content;
    } catch (error) {
      if (isAwsError(error, 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  return {
    get,
    read,

    async put(session, { name, mediaType, content }) {
      const sha256 = createHash('sha256').update(content).digest('hex');
      const attachmentId = derivedId('attachment', session.tenantId, session.sessionId, sha256, mediaType, name);
      const there = await get(session, attachmentId);
      if (there) return there;
      const stored = { attachmentId, name, mediaType, bytes: content.byteLength, sha256, createdAt: new Date().toISOString() };
      await write(session, stored, content);
      return stored;
    },

    async list(session, page) {
      const { tenantId, sessionId } = session;
      const { items, ...rest } = await listedPage(access.clients(tenantId, 'session-read').table, { tenantId, pk: tableKeys.attachments(sessionId), ...page, keys: listKeys }, (item) => AttachmentItem.parse(item));
      return { attachments: await Promise.all(items.map((item) => opened(session, item))), ...rest };
    },

    async count({ tenantId, sessionId }) {
      const pages = paginateQuery(
        { client: access.clients(tenantId, 'session-read').table },
        { TableName: tenantResources(tenantId).table, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': tableKeys.attachments(sessionId) }, Select: 'COUNT', ConsistentRead: true },
      );
      let count = 0;
      for await (const page of pages) count += page.Count ?? 0;
      return count;
    },

    async copy(from, to, attachmentIds, onEach) {
      for (const attachmentId of attachmentIds) {
        onEach();
        if (await get(to, attachmentId)) continue;
        const stored = await get(from, attachmentId);
        const content = stored && (await read(from, attachmentId));
        if (content) await write(to, stored, content);
      }
    },
  };
}
