import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BackupContentName, BackupManifest, BackupPart } from '../../../contracts/backup';
import type { BackupRecord, MapUser } from '../../../domain/backup-content';
import type { Waiting } from '../../../ports/provisioning';
import { fromLine, linesIn } from './json-lines';
import { chunkBytes } from './sources';
import { type BackupRef, type BackupStore, incomplete } from './store';

/**
 * The records of a part, one at a time, checked at its end against what the manifest says of it.
 * @throws DomainError `backup/incomplete`
 */
export async function* recordsOfPart(store: BackupStore, ref: BackupRef, part: BackupPart, { signal, beat }: Waiting): AsyncGenerator<BackupRecord> {
  const hash = createHash('sha256');
  let bytes = 0;
  let records = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of store.readPart(ref, part)) {
      signal.throwIfAborted();
      hash.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
  }
  for await (const line of linesIn(counted())) {
    records += 1;
    yield fromLine(line);
  }
  beat(`${part.name} read`);
  const hashesAgree = hash.digest('hex') === part.sha256;
  if (records !== part.records || bytes !== part.bytes || !hashesAgree)
    throw incomplete(`${part.name} holds ${records} records, ${part.records} were written; their hashes ${hashesAgree ? 'agree' : 'differ'}`);
}

/** A backup, be it one that is still being taken: it has the parts so far, and no manifest. */
type Begun = BackupRef & Pick<BackupManifest, 'parts'> & { readonly format?: BackupManifest['format'] };

/** The records of one content, in the form of today's format. */
export async function* recordsOf(store: BackupStore, backup: Begun, content: BackupContentName, waiting: Waiting): AsyncGenerator<BackupRecord> {
  const isInPieces = content !== 'objects' || backup.format !== 'tenure-backup/1';
  for (const part of backup.parts) {
    if (part.content !== content) continue;
    for await (const record of recordsOfPart(store, backup, part, waiting)) yield* isInPieces ? [record] : piecesOf(record);
  }
}

/** The first format has an object whole. */
function piecesOf(record: BackupRecord): BackupRecord[] {
  const bytes = Buffer.from(String(record['base64']), 'base64');
  const count = Math.max(1, Math.ceil(bytes.length / chunkBytes));
  return Array.from({ length: count }, (_, chunk) => {
    const piece = bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    return { ...record, chunk, last: chunk === count - 1, base64: piece.toString('base64') };
  });
}

const User = z.object({ userId: z.string(), email: z.string(), groups: z.array(z.string()), enabled: z.boolean() });

/** The users of a backup. */
export async function* usersOf(store: BackupStore, backup: Begun, waiting: Waiting) {
  for await (const record of recordsOf(store, backup, 'users', waiting)) yield User.parse(record);
}

/** The backup's users: user id → e-mail address, which outlives the id. */
export async function peopleOf(...backup: Parameters<typeof usersOf>): Promise<ReadonlyMap<string, string>> {
  const emails = new Map<string, string>();
  for await (const { userId, email } of usersOf(...backup)) emails.set(userId, email);
  return emails;
}

export const emailIn = (people: ReadonlyMap<string, string>): MapUser => (userId) => people.get(userId) ?? userId;
