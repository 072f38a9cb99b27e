import { z } from 'zod';
import { AttachmentId, AttachmentName, StoredAttachment } from '../../contracts/attachment';
import { type AttachmentType, isAttachmentType, mediaTypes } from '../../contracts/attachment-types';
import { DomainError } from '../../contracts/errors';
import type { Tiers } from '../../contracts/tiers';
import { bytesAllowed, mustBe } from '../../domain/attachments';
import { definitionOf } from '../../domain/tiers';
import type { Attachments } from '../../ports/attachments';
import type { Conversations } from '../conversations';
import { tenantRoute, type Route } from '../route';
import { pageOf, pageOfList } from './paging';
import { SessionPath, urlOfSession } from './paths';

export interface AttachmentRoutesDeps {
  readonly conversations: Conversations;
  readonly attachments: Attachments;
  readonly tiers: Tiers;
}

export const attachmentRoutes = ({ conversations, attachments, tiers }: AttachmentRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/attachments',
    idempotent: true,
    summary: 'Upload an image or a document to a session, to refer to it in messages; the body is its bytes. The same again is the same attachment',
    permission: 'invoke:agent',
    params: SessionPath,
    query: z.object({ name: AttachmentName }),
    takesFile: mediaTypes,
    response: StoredAttachment,
    status: 201,
    async handle({ params, query: { name }, caller, tenant, upload }) {
      await conversations.mustOwn(params, caller);
      const { attachmentBytes, attachments: most } = definitionOf(tiers, tenant.tier);
      const mediaType = typeOf(upload.mediaType);
      if ((await attachments.count(params)) >= most) throw new DomainError('attachment/too-many', `A session may have ${most} attachments.`);
      const content = await upload.read(bytesAllowed(mediaType, attachmentBytes));
      mustBe(mediaType, content);
      // It may have been on its way for minutes: of a session that was erased meanwhile nothing may be written any more.
      await conversations.mustOwn(params, caller);
      const stored = await attachments.put(params, { name, mediaType, content });
      return { headers: { location: `${urlOfSession(params)}/attachments/${stored.attachmentId}` }, body: stored };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/attachments',
    summary: 'List what was uploaded to a session, whether a message refers to it or not; in no order that means anything',
    permission: 'read:session',
    params: SessionPath,
    query: pageOfList('attachments'),
    response: pageOf(StoredAttachment),
    status: 200,
    async handle({ params, query, caller }) {
      await conversations.mustRead(params, caller);
      const { attachments: data, ...rest } = await attachments.list(params, query);
      return { body: { data, ...rest } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/attachments/{attachmentId}',
    summary: 'Read what was uploaded to a session, byte for byte',
    permission: 'read:session',
    params: SessionPath.extend({ attachmentId: AttachmentId }),
    givesFile: mediaTypes,
    response: z.never(),
    status: 200,
    async handle({ params, caller }) {
      await conversations.mustRead(params, caller);
      const stored = await attachments.get(params, params.attachmentId);
      const content = stored && (await attachments.read(params, params.attachmentId));
      if (!stored || !content) throw new DomainError('attachment/not-found', 'There is no such attachment in this session.');
      return { file: { content, mediaType: stored.mediaType, name: stored.name } };
    },
  }),
];

/** @throws DomainError `attachment/unsupported-type` */
function typeOf(mediaType: string | undefined): AttachmentType {
  if (mediaType !== undefined && isAttachmentType(mediaType)) return mediaType;
  throw new DomainError('attachment/unsupported-type', `Say what it is in Content-Type, one of: ${mediaTypes.join(', ')}.`);
}
