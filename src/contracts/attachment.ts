import { z } from 'zod';
import { mediaTypes } from './attachment-types';
import { attachmentIdPattern } from './names';

export const AttachmentId = z.string().regex(attachmentIdPattern, 'an attachment id is att- and 26 letters and digits');

/** What people call it: no path, and nothing that moves a cursor. By what it may not have: a range up to U+FFFF reads otherwise where characters are not UTF-16. */
export const AttachmentName = z
  .string()
  .min(1)
  .max(255)
  // eslint-disable-next-line no-control-regex -- they are what is kept out
  .regex(/^[ \u00a0]*[^/\\\u0000-\u0020\u007f-\u00a0][^/\\\u0000-\u001f\u007f-\u009f]*$/, 'a name has something to read, no slash and no control characters');

/** Something attached to a message, as events refer to it: what it says lies in the tenant's bucket alone. */
export const Attachment = z.object({ attachmentId: AttachmentId, name: AttachmentName, mediaType: z.enum(mediaTypes), bytes: z.number().int().min(1) });
export type Attachment = Readonly<z.infer<typeof Attachment>>;

/** Something that was uploaded to a session. */
export const StoredAttachment = Attachment.extend({ /** Hex. */ sha256: z.string(), createdAt: z.iso.datetime() });
export type StoredAttachment = Readonly<z.infer<typeof StoredAttachment>>;

/** Of one message: as many as Converse takes in one request. */
export const maxAttachments = 25;
