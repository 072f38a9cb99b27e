import { z } from 'zod';
import { addressDigest } from '../../../contracts/address-digest';
import { type BackupContentName, backupContents, type BackupManifest, type ContentSummary } from '../../../contracts/backup';
import { codeOf, DomainError } from '../../../contracts/errors';
import type { ErasurePlan } from '../../../contracts/erasure';
import { attachmentOfObject, objectKeys, tableKeys } from '../../../contracts/names';
import type { ServedTenant } from '../../../contracts/tenant';
import { type BackupRecord, compareContents, differencesOf, type MapUser, mapTableUsers } from '../../../domain/backup-content';
import { isPlace, isUse } from '../../../domain/counted-use';
import { type Erased, erasedSince, isErased } from '../../../domain/erasure';
import { beforeAnyRecord, isBy, type PointProgress, recordAtPoint, type RestorePoint, restorePoint } from '../../../domain/restore-point';
import type { Erasures } from '../../../ports/erasures';
import type { TenantData, Waiting } from '../../../ports/provisioning';
import type { Restores, RestoreSource } from '../../../ports/restores';
import { type BackupDeps, contentsOfTenant, type Counts, emailsOf } from './backups';
import { ContentTally } from './content-tally';
import { emailIn, peopleOf, recordsOf, recordsOfPart, usersOf } from './reader';
import { ConfigSink, emptyTable, MemorySink, ObjectSink, TableSink, UseSink } from './sinks';
import { backupSources } from './sources';
import { type BackupRef, incomplete } from './store';

interface Dependencies extends BackupDeps {
  readonly data: TenantData;
  readonly erasures: Pick<Erasures, 'list'>;
}

/** How far a restore has come. */
const Progress = z.object({
  /** The tenant's own things are gone: what is there now, this restore wrote. */
  emptied: z.boolean(),
  /** Parts of the table that are written, and where the last one left off. */
  tableParts: z.array(z.string()),
  point: z.object({ log: z.string().optional(), lastSeq: z.number(), cut: z.boolean() }),
  done: z.array(z.enum(backupContents)),
});
type Progress = z.infer<typeof Progress>;

const notBegun: Progress = { emptied: false, tableParts: [], point: beforeAnyRecord, done: [] };

/** Restores from the platform's bucket; what is where is in docs/backup-format.md. */
export function createRestores(deps: Dependencies): Restores {
  async function mustHave({ sourceTenantId: tenantId, backupId }: RestoreSource): Promise<BackupManifest> {
    const manifest = await deps.store.manifestOf({ tenantId, backupId });
    if (!manifest) throw new DomainError('backup/not-found', `There is no backup ${backupId} of ${tenantId}.`);
    return manifest;
  }

  async function sourceOf(tenantId: string, source: RestoreSource, waiting: Waiting): Promise<Source> {
    const manifest = await mustHave(source);
    const people = await peopleOf(deps.store, manifest, waiting);
    const point = await restorePoint(source.until, recordsOf(deps.store, manifest, 'table', waiting));
    return { manifest, people, point, erased: await erasedFrom(deps, { tenantId, manifest, people }, waiting) };
  }

  return {
    async users(tenantId, source, waiting) {
      const manifest = await mustHave(source);
      const { infrastructure } = await deps.directory.built(tenantId);
      for await (const { email, groups, enabled } of usersOf(deps.store, manifest, waiting)) {
        waiting.signal.throwIfAborted();
        await deps.users.restore(infrastructure.userPoolId, { email, groups, enabled });
        waiting.beat('users');
      }
    },

    async takeBackUsers(tenantId, source, before, waiting) {
      const own = new Set((await peopleOf(deps.store, await mustHave(before), waiting)).values());
      const { infrastructure } = await deps.directory.built(tenantId);
      for await (const { email } of readableUsersOf(deps, await mustHave(source), waiting)) if (!own.has(email)) await deps.users.delete(infrastructure.userPoolId, email);
      await this.users(tenantId, before, waiting);
    },

    async forget(operationId, { sourceTenantId, backupId }) {
      await deps.store.delete(noteKeyOf({ tenantId: sourceTenantId, backupId }, operationId));
    },

    async data(tenantId, operationId, source, waiting) {
      await new DataRestore(deps, await deps.directory.built(tenantId), operationId, await sourceOf(tenantId, source, waiting), waiting).run();
    },

    async compare(tenantId, source, waiting) {
      const tenant = await deps.directory.built(tenantId);
      const taken = await sourceOf(tenantId, source, waiting);
      const { contents, leftOut } = await contentsOfBackup(deps, taken, (record) => !isItsOwn(tenant, record), waiting);
      const known = new Set(taken.people.values());
      const counts: Counts = (content, record) => isKnownTo(known)(content, record) && !(content === 'table' && isItsOwn(tenant, record));
      const found = await contentsOfTenant(deps, tenant, { map: await emailsOf(deps, tenant, known), counts }, waiting);
      const comparison = compareContents(contents, found).map((one) => ({ ...one, ...(leftOut.has(one.content) && { leftOut: leftOut.get(one.content) }) }));
      const [difference] = differencesOf(comparison);
      if (difference !== undefined) throw incomplete(`after the restore, ${difference}`);
      return comparison;
    },
  };
}

/** What of a backup is restored. */
interface Source {
  readonly manifest: BackupManifest;
  /** Its users: user id → e-mail address. */
  readonly people: ReadonlyMap<string, string>;
  readonly point: RestorePoint;
  readonly erased: Erased;
}

/** What was erased since the backup was begun, of the tenant it is of and of the one it goes into, by whatever ids its users had by then. */
async function erasedFrom({ erasures, store }: Dependencies, { tenantId, manifest, people }: { tenantId: string } & Pick<Source, 'manifest' | 'people'>, waiting: Waiting): Promise<Erased> {
  const listed = await Promise.all([...new Set([manifest.tenantId, tenantId])].map((id) => erasures.list(id)));
  const erased = erasedSince(listed.flat(), 'startedAt' in manifest ? manifest.startedAt : manifest.createdAt, idsIn(people));
  if (erased.users.size === 0) return erased;
  // Sessions that an earlier restore had lost are in no plan of their user's erasure.
  const sessions = new Set(erased.sessions);
  for await (const { pk, sessionId } of recordsOf(store, manifest, 'table', waiting)) {
    const list = tableKeys.sessionsOf('');
    if (String(pk).startsWith(list) && erased.users.has(String(pk).slice(list.length))) sessions.add(String(sessionId));
  }
  return { ...erased, sessions };
}

/** A backup's users whose address is that of an erasure. */
const idsIn = (people: Source['people']) => ({ operationId, addressDigest: digest }: ErasurePlan): string[] =>
  digest === undefined ? [] : [...people].flatMap(([userId, email]) => (addressDigest(operationId, email) === digest ? [userId] : []));

/** Writes all but users, in an order in which each content may be begun again. */
class DataRestore {
  private progress: Progress = notBegun;
  private map: MapUser = (userId) => userId;

  constructor(
    private readonly deps: Dependencies,
    private readonly tenant: ServedTenant,
    private readonly operationId: string,
    private readonly source: Source,
    private readonly waiting: Waiting,
  ) {}

  async run(): Promise<void> {
    const { deps } = this;
    const noted = await deps.store.noteAt(this.noteKey, this.noteContext);
    this.progress = noted === undefined ? notBegun : Progress.parse(noted);
    this.map = await this.newUserIds();
    if (!this.progress.emptied) await this.empty();
    await this.once('table', () => this.table());
    await this.once('objects', () => this.objects());
    await this.once('memory', () => this.memory());
    await this.once('config', () => this.config());
    await deps.store.delete(this.noteKey);
  }

  /** Old user id → the id of the user with the same e-mail address in the tenant's pool. */
  private async newUserIds(): Promise<MapUser> {
    const { deps, tenant, source } = this;
    const emailOf = emailIn(source.people);
    const ids = new Map<string, string>();
    for await (const { email, userId } of deps.users.all(tenant.infrastructure.userPoolId)) ids.set(email, userId);
    return (userId) => ids.get(emailOf(userId)) ?? userId;
  }

  private async empty(): Promise<void> {
    const { deps, tenant: { tenantId }, source, waiting } = this;
    await emptyTable(deps, tenantId, source.point.heads, waiting);
    await deps.data.emptyBucket(tenantId, waiting);
    await this.note({ ...notBegun, emptied: true });
  }

  private async table(): Promise<void> {
    const { deps, tenant: { tenantId }, source: { manifest, point, erased }, waiting } = this;
    for (const part of manifest.parts) {
      if (part.content !== 'table' || this.progress.tableParts.includes(part.name)) continue;
      const [sink, useSink] = [new TableSink(deps, tenantId, waiting), new UseSink(deps, tenantId, waiting)];
      let reached = this.progress.point;
      for await (const record of recordsOfPart(deps.store, manifest, part, waiting)) {
        if (isErased('table', record, erased)) continue;
        const { progress, kept } = recordAtPoint(reached, record, point);
        reached = progress;
        for (const one of kept) {
          const mapped = mapTableUsers(one, this.map);
          if (!isUse(one) && !isPlace(one)) await sink.add(mapped);
          else if (this.brings(one)) await useSink.add(mapped, one);
        }
      }
      await sink.flush();
      await useSink.flush();
      await this.note({ ...this.progress, tableParts: [...this.progress.tableParts, part.name], point: reached });
      waiting.beat(`${part.name} restored`);
    }
  }

  /** A tenant that stands, and is given another's sessions, has not used what that one has. */
  private brings(record: BackupRecord): boolean {
    const { source, tenant } = this;
    return !isUse(record) || !hasItsOwn(tenant) || source.manifest.tenantId === tenant.tenantId;
  }

  private async objects(): Promise<void> {
    const sink = new ObjectSink(this.deps, this.tenant.tenantId);
    for await (const record of this.records('objects')) if (!holdsBatch(record)) await sink.add(record);
  }

  private async memory(): Promise<void> {
    const { deps, tenant: { tenantId }, source: { point } } = this;
    await deps.memory.forgetAll(tenantId);
    const sink = new MemorySink(deps, tenantId, this.map);
    for await (const record of this.records('memory')) if (isBy(record['createdAt'], point.until)) await sink.add(record);
    await sink.flush();
  }

  private async config(): Promise<void> {
    const { deps, tenant, source: { manifest } } = this;
    const existing: string[] = [];
    for (const { content, records } of backupSources(deps, tenant))
      if (content === 'config') for await (const { record } of records()) existing.push(String(record['name']));
    const sink = new ConfigSink(deps, tenant.tenantId, manifest.tenantId);
    for await (const record of this.records('config')) await sink.add(record);
    await sink.deleteOthers(existing);
  }

  private async *records(content: BackupContentName): AsyncGenerator<BackupRecord> {
    const { manifest, erased } = this.source;
    for await (const record of recordsOf(this.deps.store, manifest, content, this.waiting)) if (!isErased(content, record, erased)) yield record;
  }

  private async once(content: BackupContentName, restore: () => Promise<void>): Promise<void> {
    if (this.progress.done.includes(content)) return;
    await restore();
    await this.note({ ...this.progress, done: [...this.progress.done, content] });
  }

  private async note(progress: Progress): Promise<void> {
    this.progress = progress;
    await this.deps.store.putNote(this.noteKey, this.noteContext, progress);
  }

  private get noteKey(): string {
    return noteKeyOf(this.source.manifest, this.operationId);
  }

  private get noteContext() {
    return { restore: this.operationId, tenant: this.tenant.tenantId };
  }
}

const noteKeyOf = ({ tenantId, backupId }: BackupRef, operationId: string): string => objectKeys.backup(tenantId, backupId, `restore-${operationId}.sealed`);

/** An object whose events the table's records have opened; only the first format has it at all. */
const holdsBatch = (record: BackupRecord): boolean => String(record['key']).startsWith(objectKeys.batches) && !attachmentOfObject(String(record['key']));

/** As far as they can be read: from what lies behind, no restore has made any. */
async function* readableUsersOf(deps: BackupDeps, manifest: BackupManifest, waiting: Waiting) {
  try {
    yield* usersOf(deps.store, manifest, waiting);
  } catch (error) {
    if (codeOf(error) !== 'backup/incomplete') throw error;
  }
}

/** In place: what is being built has used nothing yet. */
const hasItsOwn = ({ status }: ServedTenant): boolean => status === 'suspended';
/** What it has used since the backup stands, and need not be what the backup says. */
const isItsOwn = (tenant: ServedTenant, record: BackupRecord): boolean => hasItsOwn(tenant) && (isUse(record) || isPlace(record));

/**
 * What a restore takes of a backup: up to a point, without what was erased since; and what one of the first format holds at all. Of
 * the table it is never what the manifest says: it was read while the tenant worked, and is mended.
 */
async function contentsOfBackup(deps: BackupDeps, { manifest, people, point, erased }: Source, compares: (item: BackupRecord) => boolean, waiting: Waiting): Promise<{ contents: ContentSummary[]; leftOut: ReadonlyMap<BackupContentName, number> }> {
  const contents: ContentSummary[] = [];
  const leftOut = new Map<BackupContentName, number>();
  const isWhole = point.until === undefined && erased.sessions.size + erased.users.size === 0;
  for (const content of backupContents) {
    const told = isWhole && content !== 'table' && 'contents' in manifest ? manifest.contents.find((summary) => summary.content === content) : undefined;
    if (told) {
      contents.push(told);
      continue;
    }
    const tally = new ContentTally(content, { tenantId: manifest.tenantId, map: emailIn(people) });
    let reached: PointProgress = beforeAnyRecord;
    for await (const record of recordsOf(deps.store, manifest, content, waiting)) {
      if (isErased(content, record, erased)) {
        leftOut.set(content, (leftOut.get(content) ?? 0) + 1);
        continue;
      }
      if (content === 'table') {
        const { progress, kept } = recordAtPoint(reached, record, point);
        reached = progress;
        for (const one of kept) if (compares(one)) tally.add(one);
      } else if (isBy(record['createdAt'], point.until) && !(content === 'objects' && holdsBatch(record))) tally.add(record);
    }
    contents.push(tally.summary());
  }
  return { contents, leftOut };
}

/** Users who joined the tenant after the backup are nobody's loss. */
const isKnownTo = (people: ReadonlySet<string>): Counts => (content, record) => content !== 'users' || people.has(String(record['email']));
