import type { Attachment } from '../contracts/attachment';
import { attachmentTypes, type AttachmentKind, type AttachmentType } from '../contracts/attachment-types';
import { DomainError, type ErrorCode } from '../contracts/errors';
import type { EventBody } from '../contracts/events';
import type { DocumentBlock, ImageBlock, RequestSize } from '../contracts/model';
import { contentProblem } from './attachment-content';

/** What Converse takes: of one, and of all in a request. @see https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html */
const limits = { image: { bytes: 3_750_000, count: 20 }, document: { bytes: 4_500_000, count: 5 } } as const satisfies Readonly<Record<AttachmentKind, { bytes: number; count: number }>>;
/** Of all that one request shows, so that it stays below 20 MB in Base64. */
const mostBytesShown = 12_000_000;

const kindOf = ({ mediaType }: Pick<Attachment, 'mediaType'>): AttachmentKind => attachmentTypes[mediaType].kind;

/** Bytes that one of this type may have. @param tierBytes - what the tenant's tier allows. */
export const bytesAllowed = (mediaType: AttachmentType, tierBytes: number): number => Math.min(limits[attachmentTypes[mediaType].kind].bytes, tierBytes);

/** @throws DomainError `attachment/wrong-content` */
export function mustBe(mediaType: AttachmentType, content: Uint8Array): void {
  const problem = contentProblem(mediaType, content);
  if (problem !== undefined) throw new DomainError('attachment/wrong-content', problem);
}

/** What comes with one message must fit into one request. @throws DomainError `attachment/too-many` */
export function mustFit(attachments: readonly Attachment[]): void {
  for (const kind of ['image', 'document'] as const) {
    const count = attachments.filter((attachment) => kindOf(attachment) === kind).length;
    if (count > limits[kind].count) throw new DomainError('attachment/too-many', `A message may have ${limits[kind].count} ${kind}s; this one has ${count}.`);
  }
  const bytes = attachments.reduce((sum, attachment) => sum + attachment.bytes, 0);
  if (bytes > mostBytesShown) throw new DomainError('attachment/too-many', `What is attached to a message may have ${mostBytesShown} bytes together; this has ${bytes}.`);
}

const attachedTo = (event: EventBody): readonly Attachment[] =>
  event.type === 'turn.started' || event.type === 'turn.steered' || event.type === 'history.compacted' ? (event.attachments ?? []) : [];

/** All that a message of these refers to, each once. */
export const attachmentsIn = (events: readonly EventBody[]): string[] => [...new Set(events.flatMap(attachedTo).map(({ attachmentId }) => attachmentId))];

/**
 * What of all that is attached goes along with a request: the newest as far as Converse takes them, each once, and nothing that was there when the model
 * refused a request: it would refuse every other one, too.
 *
 * @param events - that the model is shown, oldest first. @param summary - stands for all before them. @param withheld - turns that the model is not shown.
 */
export function shownAttachments(events: readonly EventBody[], summary: EventBody | undefined, withheld: ReadonlySet<string>): Attachment[] {
  const read = [...(summary ? [summary] : []), ...events.filter(({ type }) => type !== 'history.compacted')];
  const refused = read.findLastIndex((event) => event.type === 'turn.completed' && event.code === ('model/refused' satisfies ErrorCode));
  const left = { image: limits.image.count as number, document: limits.document.count as number, bytes: mostBytesShown };
  const shown: Attachment[] = [];
  for (const event of read.slice(refused + 1).reverse()) {
    if ('turnId' in event && withheld.has(event.turnId)) continue;
    for (const attachment of attachedTo(event).toReversed()) {
      if (shown.some(({ attachmentId }) => attachmentId === attachment.attachmentId)) continue;
      const kind = kindOf(attachment);
      if (left.bytes < attachment.bytes) return shown;
      if (left[kind] === 0) continue;
      left[kind] -= 1;
      left.bytes -= attachment.bytes;
      shown.push(attachment);
    }
  }
  return shown;
}

/** What was attached, by the very reference in its event: one that is not among them is only named. */
export type AttachedContents = ReadonlyMap<Attachment, Uint8Array>;

/** How the model sees what came with a message. */
export const blocksOf = (attachments: readonly Attachment[] | undefined, contents: AttachedContents): ({ readonly text: string } | ImageBlock | DocumentBlock)[] =>
  (attachments ?? []).flatMap((attachment) => {
    const content = contents.get(attachment);
    const told = { text: `(${nameIn(attachment)}${content ? '' : '; it is not shown to you here'})` };
    return content ? [told, blockOf(attachment, content)] : [told];
  });

/** For the model, and for summaries: a name says what its user likes. */
const nameIn = ({ name, mediaType, bytes }: Attachment): string => `Attached: ${JSON.stringify(name)}, ${mediaType}, ${bytes} bytes`;

/** In words, where nothing of it is shown. */
export const namesOf = (attachments: readonly Attachment[] | undefined): string => (attachments ?? []).map((attachment) => `\n(${nameIn(attachment)})`).join('');

function blockOf({ attachmentId, mediaType }: Attachment, content: Uint8Array): ImageBlock | DocumentBlock {
  const type = attachmentTypes[mediaType];
  // Converse refuses most names that people give, and warns of those that speak to the model: it gets one that says nothing.
  return type.kind === 'image' ? { image: { format: type.format, content } } : { document: { format: type.format, name: `Document ${attachmentId.slice(-12)}`, content } };
}

/** No model that Converse reaches makes more tokens of one image, whatever its size. */
const mostTokensOfImage = 6_000;
const likelyTokensOfImage = 1_600;
const textFormats: ReadonlySet<string> = new Set(['csv', 'html', 'txt', 'md']);

/**
 * Tokens of an image or document. Plain text has no more than bytes; of what is compressed nobody can say without opening it: four a byte at most, and a
 * tenth as many characters as bytes most of the time, as most bytes of such files are pictures and fonts.
 */
export function tokensOfBlock(block: ImageBlock | DocumentBlock): RequestSize['attached'] {
  if ('image' in block) return { mostTokens: mostTokensOfImage, likelyTokens: likelyTokensOfImage };
  const { format, content } = block.document;
  return textFormats.has(format) ? { mostTokens: content.byteLength, likelyTokens: Math.ceil(content.byteLength / 4) } : { mostTokens: 4 * content.byteLength, likelyTokens: Math.ceil(content.byteLength / 40) };
}

/** About how many characters of text a message's attachments stand for. @param charactersPerToken - as text is reckoned elsewhere. */
export const likelyCharacters = (event: EventBody, charactersPerToken: number): number =>
  attachedTo(event).reduce((sum, { mediaType, bytes }) => {
    const { kind, format } = attachmentTypes[mediaType];
    return sum + (kind === 'image' ? likelyTokensOfImage * charactersPerToken : textFormats.has(format) ? bytes : bytes / 10);
  }, 0);
