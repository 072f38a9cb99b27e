import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupPart, type ContentSummary, ContentSummary as ContentSummarySchema } from '../../../contracts/backup';
import { objectKeys } from '../../../contracts/names';
import type { MapUser } from '../../../domain/backup-content';
import type { Waiting } from '../../../ports/provisioning';
import { ContentTally } from './content-tally';
import { toLine } from './json-lines';
import type { BackupSource, Place } from './sources';
import type { BackupRef, BackupStore } from './store';

/** Plain bytes after which a part is closed: what a writer holds in memory, and what a kill costs. */
const partBytes = 8 * 1_024 * 1_024;
const beatEveryRecords = 500;
const noteName = 'progress.sealed';

/** How far a backup has come, kept beside its parts until it is done. */
const Progress = z.object({
  startedAt: z.string(),
  parts: z.array(BackupPart),
  contents: z.array(ContentSummarySchema),
  /** The content that is being written, behind the record that was the last of a finished part. */
  current: z.object({ summary: ContentSummarySchema, place: z.record(z.string(), z.unknown()) }).optional(),
});
type Progress = z.infer<typeof Progress>;

/** Writes the parts of one backup. After a kill, another one goes on behind the last finished part. */
export class BackupWriter {
  private constructor(
    private readonly store: BackupStore,
    private readonly ref: BackupRef,
    private readonly waiting: Waiting,
    private progress: Progress,
  ) {}

  static async resume(store: BackupStore, ref: BackupRef, waiting: Waiting): Promise<BackupWriter> {
    const noted = await store.noteAt(noteKey(ref), contextOf(ref));
    return new BackupWriter(store, ref, waiting, noted === undefined ? { startedAt: new Date().toISOString(), parts: [], contents: [] } : Progress.parse(noted));
  }

  get written(): Omit<Progress, 'current'> {
    const { startedAt, parts, contents } = this.progress;
    return { startedAt, parts, contents };
  }

  async write(source: BackupSource, map: MapUser): Promise<void> {
    if (this.progress.contents.some(({ content }) => content === source.content)) return;
    const whose = { tenantId: this.ref.tenantId, map };
    const earlier = this.progress.current?.summary.content === source.content ? this.progress.current : undefined;
    const tally = earlier ? ContentTally.from(earlier.summary, whose) : new ContentTally(source.content, whose);
    const part = new PendingPart();
    for await (const { record, place } of source.records(earlier?.place)) {
      this.waiting.signal.throwIfAborted();
      tally.add(record);
      part.add(toLine(record));
      if (tally.count % beatEveryRecords === 0) this.waiting.beat(`${source.content}: ${tally.count} records`);
      if (part.bytes >= partBytes) await this.close(part, tally, place);
    }
    if (part.bytes > 0) await this.close(part, tally, undefined);
    await this.finish(tally.summary());
  }

  /** No longer needed once the manifest is there. */
  async forgetProgress(): Promise<void> {
    await this.store.delete(noteKey(this.ref));
  }

  private async close(part: PendingPart, tally: ContentTally, place: Place | undefined): Promise<void> {
    const { content } = tally;
    const number = this.progress.parts.filter((other) => other.content === content).length + 1;
    const name = `${content}-${String(number).padStart(6, '0')}.jsonl.gz`;
    const { plain, ...counts } = part.take();
    const storedBytes = await this.store.putPart(this.ref, name, plain);
    this.progress = { ...this.progress, parts: [...this.progress.parts, { name, content, ...counts, storedBytes }] };
    this.waiting.beat(`${name} written`);
    // Without a place to go on from, the part belongs to what a kill costs.
    if (place) await this.note({ ...this.progress, current: { summary: tally.summary(), place } });
  }

  private async finish(summary: ContentSummary): Promise<void> {
    const { startedAt, parts, contents } = this.progress;
    await this.note({ startedAt, parts, contents: [...contents, summary] });
  }

  private async note(progress: Progress): Promise<void> {
    this.progress = progress;
    await this.store.putNote(noteKey(this.ref), contextOf(this.ref), progress);
  }
}

/** Lines that are not written yet. */
class PendingPart {
  bytes = 0;
  private lines: Buffer[] = [];

  add(line: Buffer): void {
    this.lines.push(line);
    this.bytes += line.byteLength;
  }

  take() {
    const plain = Buffer.concat(this.lines);
    const records = this.lines.length;
    this.lines = [];
    this.bytes = 0;
    return { plain, records, bytes: plain.byteLength, sha256: createHash('sha256').update(plain).digest('hex') };
  }
}

const noteKey = ({ tenantId, backupId }: BackupRef): string => objectKeys.backup(tenantId, backupId, noteName);
const contextOf = ({ tenantId, backupId }: BackupRef) => ({ tenant: tenantId, backup: backupId });
