import path from 'node:path';
import { type AttachmentType, mediaTypes, attachmentTypes } from '../contracts/attachment-types';
import { type Access, apiPath, withQuery } from './access';
import { CliFailure, exitCodes } from './failures';
import { readBytes } from './terminal/files';

/** As files are called, besides by the format's own name. */
const otherEndings: Readonly<Record<string, AttachmentType>> = { jpg: 'image/jpeg', htm: 'text/html', markdown: 'text/markdown', text: 'text/plain', log: 'text/plain' };
const byEnding = new Map<string, AttachmentType>([...mediaTypes.map((mediaType) => [attachmentTypes[mediaType].format, mediaType] as const), ...Object.entries(otherEndings)]);

/** @throws CliFailure for a file that no model reads. */
export function typeOfFile(file: string): AttachmentType {
  const known = byEnding.get(path.extname(file).slice(1).toLowerCase());
  if (known === undefined) throw new CliFailure(exitCodes.usage, `${file} cannot be attached: its name ends with none of ${[...byEnding.keys()].map((ending) => `.${ending}`).join(', ')}.`);
  return known;
}

/** Uploads files to a session. All are read before any is sent. @returns their ids. @throws CliFailure, ApiProblem */
export async function attach(caller: Access, tenantId: string, sessionId: string, files: readonly string[]): Promise<string[]> {
  const read = await Promise.all(files.map(async (file) => ({ name: path.basename(file), mediaType: typeOfFile(file), content: await readBytes(file) })));
  const ids: string[] = [];
  for (const { name, ...file } of read) {
    const { attachmentId } = await caller.call<{ attachmentId: string }>(withQuery(apiPath`/tenants/${tenantId}/sessions/${sessionId}/attachments`, { name }), { method: 'POST', file });
    ids.push(attachmentId);
  }
  return ids;
}
