import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { Attachment } from '../../contracts/attachment';
import { DomainError } from '../../contracts/errors';
import { tableKeys, tenantResources } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { keyReused, mustBeSameRequest } from '../../domain/same-request';
import type { TenantCipher } from '../../ports/cipher';
import type { SessionMessages, StoredMessage } from '../../ports/session-store';
import type { MessagesUnderWay } from '../valkey/messages-under-way';
import type { TenantAccess } from './tenant-access';

/** What is said, by whom, and what came with it. */
export const MessageContent = z.object({ userId: z.string(), text: z.string(), attachments: z.array(Attachment).optional() });
const contentOf = ({ userId, text, attachments }: Omit<StoredMessage, 'turnId'>): string => JSON.stringify({ userId, text, attachments });

/** Seals what a user sent, bound to its place. */
export function createMessageBodies({ cipher }: { cipher: TenantCipher }) {
  const contextOf = (sessionId: string, turnId: string) => ({ purpose: 'message', session: sessionId, turn: turnId });
  return {
    seal: ({ tenantId, sessionId }: SessionRef, { turnId, ...content }: StoredMessage): Promise<Uint8Array> =>
      cipher.seal(tenantId, contextOf(sessionId, turnId), Buffer.from(contentOf(content))),

    async open({ tenantId, sessionId }: SessionRef, turnId: string, sealed: Uint8Array): Promise<StoredMessage> {
      const plain = await cipher.open(tenantId, contextOf(sessionId, turnId), sealed);
      return { turnId, ...MessageContent.parse(JSON.parse(Buffer.from(plain).toString('utf8'))) };
    },
  };
}

interface Dependencies {
  readonly access: TenantAccess;
  readonly cipher: TenantCipher;
  /** Spares the first reader the way to the table. */
  readonly underWay?: MessagesUnderWay;
}

const MessageItem = z.object({ body: z.instanceof(Uint8Array), requestDigest: z.string().optional() });

/** Messages as they were sent, each one sealed item in the tenant's table, written once. */
export function createSessionMessages({ access, cipher, underWay }: Dependencies): SessionMessages {
  const bodies = createMessageBodies({ cipher });

  async function stored({ tenantId, sessionId }: SessionRef, turnId: string): Promise<{ message: StoredMessage; requestDigest: string | undefined }> {
    const { Item } = await access.clients(tenantId, 'session-read').table.send(
      new GetCommand({ TableName: tenantResources(tenantId).table, Key: { pk: tableKeys.messages(sessionId), sk: turnId }, ConsistentRead: true }),
    );
    const found = MessageItem.safeParse(Item).data;
    if (!found) throw new DomainError('turn/not-found', `There is no turn ${turnId} in this session.`);
    return { message: await bodies.open({ tenantId, sessionId }, turnId, found.body), requestDigest: found.requestDigest };
  }

  return {
    async get(session, turnId) {
      const sealed = await underWay?.take(session, turnId);
      // Bound to its place and authenticated: what does not open here is asked of the table.
      const message = sealed && (await bodies.open(session, turnId, sealed).catch(() => undefined));
      return message ?? (await stored(session, turnId)).message;
    },

    async put(session, message, requestDigest) {
      const { tenantId, sessionId } = session;
      const { turnId } = message;
      const body = await bodies.seal(session, message);
      try {
        await access.clients(tenantId, 'session-step').table.send(
          new PutCommand({
            TableName: tenantResources(tenantId).table,
            Item: { pk: tableKeys.messages(sessionId), sk: turnId, at: new Date().toISOString(), body, requestDigest },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        );
        // Only now: the worker must never read what the table refused.
        underWay?.give(session, turnId, body);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        const first = await stored(session, turnId);
        mustBeSameRequest(first.requestDigest, requestDigest);
        if (contentOf(first.message) !== contentOf(message))
          throw keyReused();
      }
    },
  };
}
