import type { BackupSummary } from '../contracts/backup';
import type { Finding } from '../contracts/maintenance';
import type { TenantRecord } from '../contracts/tenant';
import { farewellExpiresAt } from './retention';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A night, and half a day to notice. */
const overdueMs = 36 * hourMs;
/** Who wants to keep a departed tenant's data longer has this long to copy them. */
const noticeMs = 14 * dayMs;

/** Whether a tenant is there: it `stays`; an operation makes or ends it (`changing`); a certificate says it has `left`; it is gone and none does (`unproven`). */
export type Departure = 'stays' | 'changing' | 'left' | 'unproven';

export interface KeptOfTenant {
  readonly tenantId: string;
  /** The registry's entry, while there is one. */
  readonly tenant?: Pick<TenantRecord, 'status' | 'createdAt'>;
  readonly departure: Departure;
  /** Newest first. */
  readonly backups: readonly Pick<BackupSummary, 'backupId' | 'createdAt' | 'reason' | 'verification'>[];
  /** Ids of those whose manifest cannot be read, or is not their own. */
  readonly damaged: readonly string[];
  readonly nowMs: number;
}

type Found = Omit<Finding, 'tenantId' | 'repair'>;

/** What of a tenant's backups, and of the proof that it is gone, is damaged, too old, about to go, or missing. */
export function expiryOf(kept: KeptOfTenant): Found[] {
  return [...kept.damaged.map(damaged), ...byTime(kept)];
}

const damaged = (subject: string): Found => ({ kind: 'backup/damaged', subject, message: 'Its manifest cannot be read, or is not its own. Nothing restores from it, and it stays until somebody deletes it.' });

function byTime(kept: KeptOfTenant): Found[] {
  if (kept.departure === 'stays') return overdue(kept);
  if (kept.departure === 'left') return goingSoon(kept);
  return kept.departure === 'unproven' ? unproven(kept) : [];
}

function overdue({ tenant, backups, nowMs }: KeptOfTenant): Found[] {
  const [newest] = backups;
  const verified = backups.find(({ verification }) => verification !== undefined);
  // A suspended tenant has no nightly backup, and does not change.
  if (!tenant || (verified && tenant.status === 'suspended')) return [];
  if (nowMs - Date.parse(verified?.createdAt ?? tenant.createdAt) <= overdueMs) return [];
  const message = verified ? `The last verified backup is of ${verified.createdAt}.` : `It has no ${newest ? 'verified ' : ''}backup.`;
  return [{ kind: 'backup/overdue', subject: newest?.backupId ?? 'no backup', message: `${message} See the runs of its nightly backup.` }];
}

/** All of a departed tenant's go with the newest. */
function goingSoon({ backups, nowMs }: KeptOfTenant): Found[] {
  const [newest] = backups;
  if (!newest) return [];
  const expiresAt = farewellExpiresAt(newest.createdAt);
  if (Date.parse(expiresAt) - nowMs >= noticeMs) return [];
  return [{ kind: 'backup/expiring', subject: newest.backupId, message: `The last backup of a tenant that has left goes on ${expiresAt.slice(0, 10)}. Restore or copy it, if it is to stay.` }];
}

function unproven({ tenantId, backups }: KeptOfTenant): Found[] {
  const what = backups.length === 0 ? '' : ` Its ${backups.length} backups stay until somebody deletes them.`;
  return [{ kind: 'certificate/missing', subject: tenantId, message: `The tenant is not there, and no certificate says how it left.${what}` }];
}
