import { isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { DrillPick } from '../activities/maintenance/drill';
import type { DrillFigures, Finding, PlatformJobRequest } from '../contracts/maintenance';
import { drillsToMarkdown, figuresOf } from '../domain/recovery-drill';
import { failureText, Inspection } from './inspection';
import { chooseForDrill, newestEvent } from './maintenance-activities';
import { rehearseRestore } from './rehearse';

/**
 * Proves that last night's backups bring tenants back, and measures how long that takes and what would be lost: each is
 * restored into a scratch tenant, compared and deleted again. One tenant a night unless it is told otherwise.
 */
export async function recoveryDrill({ perNight = 1, tenantIds }: PlatformJobRequest = {}) {
  const inspection = new Inspection();
  const picks = await chooseForDrill({ perNight, tenantIds, at: new Date().toISOString() });
  const drills: DrillFigures[] = [];
  if (picks.length === 0) await inspection.one('the platform', () => Promise.resolve([nothingToDrill]));
  // One after the other: a drill is a tenant more.
  for (const pick of picks)
    await inspection.one(
      pick.backupId,
      async () => {
        const outcome = await drill(pick);
        if ('finding' in outcome) return [outcome.finding];
        drills.push(outcome.figures);
        return [];
      },
      pick.tenantId,
      () => drillsToMarkdown(drills),
    );
  return { ...(await inspection.publish('recovery_drill', { drills })), drills };
}

const nothingToDrill: Finding = { kind: 'drill/nothing', subject: 'the platform', message: 'No tenant that works has a backup: nothing was drilled.', repair: 'none' };

async function drill(pick: DrillPick): Promise<{ figures: DrillFigures } | { finding: Finding }> {
  // Before the restore: what happens meanwhile is not lost by it.
  const drilledAt = new Date().toISOString();
  const newest = await newestEvent(pick);
  setCurrentDetails(`Restoring **${pick.backupId}** of ${pick.tenantId} into a scratch tenant: see the child workflow.`);
  try {
    const operation = await rehearseRestore({ sourceTenantId: pick.tenantId, backupId: pick.backupId });
    return { figures: figuresOf({ ...pick, ...newest }, operation, drilledAt) };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { finding: { kind: 'drill/failed', tenantId: pick.tenantId, subject: pick.backupId, message: `It did not bring the tenant back: ${failureText(error)}`, repair: 'none' } };
  }
}
