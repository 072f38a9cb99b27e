import { Context } from '@temporalio/activity';
import { DomainError } from '../../contracts/errors';
import { isScratchTenant } from '../../contracts/names';
import { isWorking } from '../../contracts/tenant';
import { pagesOf } from '../../domain/pages';
import { drillBackup, turnOf } from '../../domain/recovery-drill';
import type { Backups } from '../../ports/backups';
import type { SessionDirectory, SessionLog } from '../../ports/session-store';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { sessionPages } from '../session-pages';

export interface DrillDeps {
  readonly registry: TenantRegistry;
  readonly backups: Backups;
  readonly sessions: SessionDirectory;
  readonly log: SessionLog;
}

/** Whose turn it is, and with which backup. */
export interface DrillPick {
  readonly tenantId: string;
  readonly backupId: string;
  readonly createdAt: string;
}

const page = 100;

export const createDrillActivities = (deps: DrillDeps) => ({
  /**
   * The tenants whose turn it is tonight, with their last good backup: each has its turn, one after the other.
   * @param input - `tenantIds`: these instead. `at`: ISO time of the night.
   * @throws DomainError `backup/not-found` when one that was named has none.
   */
  async chooseForDrill({ perNight, tenantIds, at }: { perNight: number; tenantIds?: readonly string[] | undefined; at: string }): Promise<DrillPick[]> {
    const candidates = tenantIds ?? rotated(await activeTenants(deps.registry), perNight, at);
    const picks: DrillPick[] = [];
    for (const tenantId of candidates) {
      const backup = drillBackup(await deps.backups.list(tenantId));
      if (backup) picks.push({ tenantId, backupId: backup.backupId, createdAt: backup.createdAt });
      else if (tenantIds) throw new DomainError('backup/not-found', `There is no backup of ${tenantId}. Take one first.`);
      if (!tenantIds && picks.length >= perNight) break;
    }
    return picks;
  },

  /** When the tenant's newest event was: what came after the backup would be lost. */
  async newestEvent({ tenantId, createdAt }: DrillPick): Promise<{ newestEventAt?: string }> {
    const { cancellationSignal } = Context.current();
    let newest: string | undefined;
    for await (const sessions of sessionPages(deps.sessions, tenantId, { limit: page })) {
      cancellationSignal.throwIfAborted();
      // What was closed before the backup holds nothing that is newer.
      const open = sessions.filter(({ closedAt }) => closedAt === undefined || closedAt > createdAt);
      const times = await Promise.all(open.map(async (session) => (await deps.log.last(session))?.at));
      newest = [newest, ...times].reduce((latest, at) => (latest === undefined || (at !== undefined && at > latest) ? at : latest), undefined);
    }
    return newest === undefined ? {} : { newestEventAt: newest };
  },
});

async function activeTenants(registry: TenantRegistry): Promise<string[]> {
  const ids: string[] = [];
  for await (const { tenants } of pagesOf((from) => registry.list({ limit: page, ...from })))
    ids.push(...tenants.flatMap(({ tenantId, status }) => (isWorking(status) && !isScratchTenant(tenantId) ? [tenantId] : [])));
  return ids.sort();
}

function rotated(ids: readonly string[], perNight: number, at: string): string[] {
  const first = turnOf(ids.length, perNight, at);
  return [...ids.slice(first), ...ids.slice(0, first)];
}
