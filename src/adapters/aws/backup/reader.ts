import { createHash } from 'node:crypto';
import type { BackupContentName, BackupManifest, BackupPart } from '../../../contracts/backup';
import type { BackupRecord } from '../../../domain/backup-content';
import type { Waiting } from '../../../ports/provisioning';
import { fromLine, linesIn } from './json-lines';
import { type BackupStore, incomplete } from './store';

/**
 * The records of a part, one at a time, checked at its end against what the manifest says of it.
 * @throws DomainError `backup/incomplete`
 */
export async function* recordsOfPart(store: BackupStore, manifest: BackupManifest, part: BackupPart, { signal, beat }: Waiting): AsyncGenerator<BackupRecord> {
  const hash = createHash('sha256');
  let bytes = 0;
  let records = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of store.readPart(manifest, part)) {
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

/** The records of one content. */
export async function* recordsOf(store: BackupStore, manifest: BackupManifest, content: BackupContentName, waiting: Waiting): AsyncGenerator<BackupRecord> {
  for (const part of manifest.parts) if (part.content === content) yield* recordsOfPart(store, manifest, part, waiting);
}
