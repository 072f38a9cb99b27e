/** What Converse takes, by media type. @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html */
export const attachmentTypes = {
  'image/png': { kind: 'image', format: 'png' },
  'image/jpeg': { kind: 'image', format: 'jpeg' },
  'image/gif': { kind: 'image', format: 'gif' },
  'image/webp': { kind: 'image', format: 'webp' },
  'application/pdf': { kind: 'document', format: 'pdf' },
  'text/csv': { kind: 'document', format: 'csv' },
  'application/msword': { kind: 'document', format: 'doc' },
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': { kind: 'document', format: 'docx' },
  'application/vnd.ms-excel': { kind: 'document', format: 'xls' },
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': { kind: 'document', format: 'xlsx' },
  'text/html': { kind: 'document', format: 'html' },
  'text/plain': { kind: 'document', format: 'txt' },
  'text/markdown': { kind: 'document', format: 'md' },
} as const;
export type AttachmentType = keyof typeof attachmentTypes;
export type AttachmentKind = (typeof attachmentTypes)[AttachmentType]['kind'];
type FormatOf<Kind extends AttachmentKind> = Extract<(typeof attachmentTypes)[AttachmentType], { kind: Kind }>['format'];
export type ImageFormat = FormatOf<'image'>;
export type DocumentFormat = FormatOf<'document'>;
export const mediaTypes = Object.keys(attachmentTypes) as [AttachmentType, ...AttachmentType[]];

export const isAttachmentType = (text: string): text is AttachmentType => Object.hasOwn(attachmentTypes, text);
