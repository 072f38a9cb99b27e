import { decodeTime } from 'ulid';
import { BackedUpTenant, type BackupContentName, type BackupManifest, type BackupSummary, type ContentSummary, type KeptBackup } from '../../../contracts/backup';
import { codeOf, DomainError } from '../../../contracts/errors';
import { objectKeys } from '../../../contracts/names';
import type { ServedTenant } from '../../../contracts/tenant';
import { type BackupRecord, compareContents, differencesOf, type MapUser } from '../../../domain/backup-content';
import { prunable } from '../../../domain/retention';
import type { Backups } from '../../../ports/backups';
import type { Waiting } from '../../../ports/provisioning';
import type { TenantDirectory } from '../../../ports/tenant-registry';
import { ContentTally } from './content-tally';
import { emailIn, peopleOf, recordsOfPart } from './reader';
import { type BackupSourceDeps, backupSources, withAgent } from './sources';
import { type BackupRef, type BackupStore, incomplete } from './store';
import { BackupWriter } from './writer';

export interface BackupDeps extends BackupSourceDeps {
  readonly store: BackupStore;
  readonly directory: TenantDirectory;
}

/** What there is of a tenant's backups, without reading them. */
function createSight(store: BackupStore) {
  async function summaryOf(tenantId: string, backupId: string): Promise<BackupSummary | undefined> {
    const ref = { tenantId, backupId };
    const manifest = await store.manifestOf(ref);
    if (!manifest) return undefined;
    const verification = await store.verificationOf(ref);
    return { ...ref, ...inShort(manifest), ...(verification && { verification }) };
  }

  /** When an unfinished backup was begun, or last written to where its id does not say. Undefined when it is gone. */
  const begunAt = async (ref: BackupRef): Promise<string | undefined> => timeIn(ref.backupId) ?? (await store.lastWrittenAt(ref));

  /** All of them: a damaged one hides none of the others. */
  async function seen(tenantId: string): Promise<Seen[]> {
    return Promise.all(
      (await store.ids(tenantId)).map(async (backupId): Promise<Seen> => {
        try {
          const summary = await summaryOf(tenantId, backupId);
          return summary ? { state: 'complete', backupId, summary } : { state: 'unfinished', backupId };
        } catch (error) {
          if (codeOf(error) !== 'backup/incomplete') throw error;
          return { state: 'damaged', backupId };
        }
      }),
    );
  }

  async function keptAs(tenantId: string, backup: Seen): Promise<KeptBackup> {
    const { backupId } = backup;
    const place = { backupId, location: await store.locationOf({ tenantId, backupId }) };
    switch (backup.state) {
      case 'complete':
        return { ...place, state: 'complete', createdAt: backup.summary.createdAt, reason: backup.summary.reason };
      case 'unfinished':
        return { ...place, state: 'unfinished', startedAt: await begunAt({ tenantId, backupId }) };
      case 'damaged':
        return { ...place, state: 'damaged' };
    }
  }

  return { summaryOf, begunAt, seen, keptAs };
}

/** Backups in the platform's bucket; docs/backup-format.md has the format. */
export function createBackups(deps: BackupDeps): Backups {
  const { store, directory } = deps;
  const { summaryOf, begunAt, seen, keptAs } = createSight(store);

  return {
    async take(tenantId, backupId, reason, waiting) {
      const ref = { tenantId, backupId };
      const finished = await store.manifestOf(ref);
      if (finished) return finished;
      const tenant = await directory.built(tenantId);
      const writer = await BackupWriter.resume(store, ref, waiting);
      let map: MapUser = (userId) => userId;
      for (const source of backupSources(deps, tenant)) {
        await writer.write(source.content === 'config' ? withAgent(source, tenantId) : source, map);
        // The tenant works on: who joins or leaves meanwhile goes by the same name in all of the backup, also after a kill.
        if (source.content === 'users') map = emailIn(await peopleOf(store, { ...ref, ...writer.written }, waiting));
      }
      const manifest = await store.putManifest(ref, {
        format: 'tenure-backup/2',
        ...ref,
        reason,
        createdAt: new Date().toISOString(),
        tenant: BackedUpTenant.parse(tenant),
        ...writer.written,
      });
      await writer.forgetProgress();
      return manifest;
    },

    async verify(tenantId, backupId, { operationId, againstTenant }, waiting) {
      const ref = { tenantId, backupId };
      const manifest = await store.manifestOf(ref);
      if (!manifest) throw new DomainError('backup/not-found', `There is no backup ${backupId} of ${tenantId}.`);
      for (const part of manifest.parts) await drained(recordsOfPart(store, manifest, part, waiting));
      if (againstTenant) await mustHoldTheSame(deps, manifest, waiting);
      await store.putVerification(ref, { verifiedAt: new Date().toISOString(), verifiedBy: operationId });
      return manifest;
    },

    list: async (tenantId) => newestFirst(await seen(tenantId)),

    async survey(tenantId) {
      const all = await seen(tenantId);
      return { complete: newestFirst(all), damaged: all.flatMap(({ state, backupId }) => (state === 'damaged' ? [backupId] : [])) };
    },

    kept: async (tenantId) => Promise.all((await seen(tenantId)).map((one) => keptAs(tenantId, one))),

    get: summaryOf,

    async delete(tenantId, backupId) {
      await store.delete(objectKeys.backup(tenantId, backupId, ''));
    },

    async prune(tenantId, { hasLeft } = { hasLeft: false }) {
      const all = await seen(tenantId);
      const begun = all.filter(({ state }) => state === 'unfinished');
      const unfinished = await Promise.all(begun.map(async ({ backupId }) => ({ backupId, startedAt: await begunAt({ tenantId, backupId }) })));
      const gone = prunable({ finished: summariesIn(all), unfinished, hasLeft }, new Date(Date.now()));
      for (const backupId of gone) await this.delete(tenantId, backupId);
      return gone;
    },

    tenantIds: store.tenantIds,
  };
}

/** What a look at a backup's folder finds. */
type Seen = { readonly backupId: string } & ({ readonly state: 'complete'; readonly summary: BackupSummary } | { readonly state: 'unfinished' | 'damaged' });

const summariesIn = (all: readonly Seen[]): BackupSummary[] => all.flatMap((one) => (one.state === 'complete' ? [one.summary] : []));

const newestFirst = (all: readonly Seen[]): BackupSummary[] => summariesIn(all).sort((a, b) => b.createdAt.localeCompare(a.createdAt));

/** Whether a record is one of those that are summed up. */
export type Counts = (content: BackupContentName, record: BackupRecord) => boolean;

interface Counting {
  /** Names the tenant's users. */
  readonly map: MapUser;
  readonly counts?: Counts;
}

/** What a tenant holds now, summed up as its manifests do. */
export async function contentsOfTenant(deps: BackupSourceDeps, tenant: ServedTenant, { map, counts = () => true }: Counting, waiting: Waiting): Promise<ContentSummary[]> {
  const summaries: ContentSummary[] = [];
  for (const source of backupSources(deps, tenant)) {
    const tally = new ContentTally(source.content, { tenantId: tenant.tenantId, map });
    for await (const { record } of source.records()) {
      waiting.signal.throwIfAborted();
      if (counts(source.content, record)) tally.add(record);
      if (tally.count % 500 === 0) waiting.beat(`${source.content}: ${tally.count} records compared`);
    }
    summaries.push(tally.summary());
  }
  return summaries;
}

/**
 * The tenant's users by their e-mail address, which outlives their id.
 * @param known - the addresses a backup knows. Others keep their ids, as they do in the backup: they may have been at work before it ended.
 */
export async function emailsOf({ users }: Pick<BackupSourceDeps, 'users'>, { infrastructure }: ServedTenant, known: ReadonlySet<string>): Promise<MapUser> {
  const emails = new Map<string, string>();
  for await (const { userId, email } of users.all(infrastructure.userPoolId)) if (known.has(email)) emails.set(userId, email);
  return emailIn(emails);
}

async function mustHoldTheSame(deps: BackupDeps, manifest: BackupManifest, waiting: Waiting): Promise<void> {
  const tenant = await deps.directory.built(manifest.tenantId);
  const known = new Set((await peopleOf(deps.store, manifest, waiting)).values());
  const found = await contentsOfTenant(deps, tenant, { map: await emailsOf(deps, tenant, known) }, waiting);
  // The first format has counts only.
  const expected = 'contents' in manifest ? manifest.contents : found.map((summary) => ({ ...summary, records: recordsIn(manifest)[summary.content] ?? 0 }));
  const [difference] = differencesOf(compareContents(expected, found));
  if (difference !== undefined) throw incomplete(`in the tenant, ${difference}`);
}

function inShort(manifest: BackupManifest): Omit<BackupSummary, 'tenantId' | 'backupId' | 'verification'> {
  const { format, createdAt, reason, parts } = manifest;
  const sumOf = (size: 'bytes' | 'storedBytes') => parts.reduce((sum, part) => sum + part[size], 0);
  const tenant = 'tenant' in manifest && { tenant: manifest.tenant };
  return { format, createdAt, reason, ...tenant, bytes: sumOf('bytes'), storedBytes: sumOf('storedBytes'), records: recordsIn(manifest) };
}

function recordsIn({ parts }: BackupManifest): BackupSummary['records'] {
  const records: BackupSummary['records'] = {};
  for (const part of parts) records[part.content] = (records[part.content] ?? 0) + part.records;
  return records;
}

/** Before it, there were no backups. */
const firstMs = Date.parse('2026-01-01');

/** A backup's id ends in a ULID, or in a digest of a caller's key, which tells no time but can look as if. */
function timeIn(backupId: string): string | undefined {
  try {
    const ms = decodeTime(backupId.slice(-26).toUpperCase());
    return ms >= firstMs && ms <= Date.now() ? new Date(ms).toISOString() : undefined;
  } catch {
    return undefined;
  }
}

async function drained(records: AsyncIterable<unknown>): Promise<void> {
  const iterator = records[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
