import type { StoredAttachment } from '../contracts/attachment';
import type { AttachmentType } from '../contracts/attachment-types';
import type { SessionRef } from '../contracts/session';
import type { PageRequest } from './page';

/** What was uploaded to sessions, encrypted under the tenant's key beside all else a session has. */
export interface Attachments {
  /** Keeps it; the same bytes under the same name and type again are the same attachment. */
  put(session: SessionRef, upload: { readonly name: string; readonly mediaType: AttachmentType; readonly content: Uint8Array }): Promise<StoredAttachment>;
  /** @returns undefined when this session has none of this id. */
  get(session: SessionRef, attachmentId: string): Promise<StoredAttachment | undefined>;
  /** Those of a session, in no order that means anything. */
  list(session: SessionRef, page: PageRequest): Promise<{ attachments: StoredAttachment[]; nextCursor?: string }>;
  /** How many a session has. */
  count(session: SessionRef): Promise<number>;
  /** Its bytes; undefined when they are gone. What was read lately is at hand. */
  read(session: SessionRef, attachmentId: string): Promise<Uint8Array | undefined>;
  /** Gives another session of the tenant those that are still there, under the same ids. Idempotent. */
  copy(from: SessionRef, to: SessionRef, attachmentIds: readonly string[], onEach: () => void): Promise<void>;
}
