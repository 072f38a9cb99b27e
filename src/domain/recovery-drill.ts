import type { BackupSummary } from '../contracts/backup';
import type { DrillFigures } from '../contracts/maintenance';
import type { Operation } from '../contracts/operation';

const dayMs = 86_400_000;

/** Steps of a rehearsal after which the tenant is back; what follows clears the scratch tenant away. */
const recoverySteps = ['reserve', 'infrastructure', 'memory', 'restore_users', 'restore_data', 'compare'] as const;

/**
 * Where tonight's turn begins in the list of tenants, so that each has its drill in time.
 *
 * @param at - ISO time.
 */
export const turnOf = (tenants: number, perNight: number, at: string): number => (tenants === 0 ? 0 : (Math.floor(Date.parse(at) / dayMs) * perNight) % tenants);

/** The newest verified backup, or the newest of all. @param backups - newest first. */
export const drillBackup = (backups: readonly BackupSummary[]): BackupSummary | undefined => backups.find(({ verification }) => verification !== undefined) ?? backups[0];

/** A drilled backup, and when the tenant's newest event was. */
export interface DrilledBackup {
  readonly tenantId: string;
  readonly backupId: string;
  readonly createdAt: string;
  readonly newestEventAt?: string;
}

/** What a disaster at this moment would have cost: time until the tenant is back, and what happened since its backup. */
export function figuresOf({ tenantId, backupId, createdAt, newestEventAt }: DrilledBackup, { steps, comparison = [] }: Operation, drilledAt: string): DrillFigures {
  const durations = recoverySteps.map((name) => ({ name, durationMs: steps.find((step) => step.name === name)?.durationMs ?? 0 }));
  const lost = newestEventAt === undefined ? 0 : Date.parse(newestEventAt) - Date.parse(createdAt);
  return {
    tenantId,
    backupId,
    backupCreatedAt: createdAt,
    drilledAt,
    ...(newestEventAt !== undefined && { newestEventAt }),
    dataLossSeconds: seconds(Math.max(0, lost)),
    backupAgeSeconds: seconds(Date.parse(drilledAt) - Date.parse(createdAt)),
    recoverySeconds: seconds(durations.reduce((sum, { durationMs }) => sum + durationMs, 0)),
    steps: durations.map(({ name, durationMs }) => ({ name, seconds: seconds(durationMs) })),
    comparison,
  };
}

const seconds = (ms: number): number => Math.round(ms) / 1_000;

/** For the Temporal UI, beneath the findings. */
export function drillsToMarkdown(drills: readonly DrillFigures[]): string {
  if (drills.length === 0) return '';
  const rows = drills.map(
    ({ tenantId, backupId, recoverySeconds, dataLossSeconds, comparison }) =>
      `| ${tenantId} | ${backupId} | ${recoverySeconds} s | ${dataLossSeconds} s | ${comparison.reduce((sum, { records }) => sum + records, 0)} |`,
  );
  return ['', '', '| tenant | backup | recovered in | would be lost | records compared |', '|---|---|---|---|---|', ...rows].join('\n');
}
