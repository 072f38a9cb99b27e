import { patched } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { buildGround, clearGround } from './building';
import { checkNothingRemains, compareWithBackup, deleteConfig, forgetRestore, releaseTenant, reserveTenant, restoreData, restoreUsers } from './lifecycle-activities';
import { OperationRun } from './progress';

/**
 * Proves that a backup brings its tenant back: restores it into a scratch tenant that serves nobody, compares what that
 * then holds, and deletes it again, whatever happened. See docs/decisions/0021-restore.md.
 */
export async function rehearsal(input: OperationInput<'rehearsal'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, sourceTenantId, backupId } = request;
  const scratch = { tenantId, operationId };
  const restore = { ...scratch, sourceTenantId, backupId };
  const run = new OperationRun('rehearsal', input);

  return run.conduct(async () => {
    await run.step(
      'reserve',
      () => reserveTenant({ ...scratch, displayName: `Rehearsal of ${sourceTenantId}`, tier: 'standard' }),
      async () => {
        await checkNothingRemains(scratch);
        await releaseTenant(scratch);
      },
    );
    await buildGround(run, scratch);
    await run.step('restore_users', () => restoreUsers(restore));
    await run.step(
      'restore_data',
      () => restoreData(restore),
      async () => {
        await deleteConfig(scratch);
        if (patched('restore-forgotten')) await forgetRestore(restore);
      },
    );
    run.note({ comparison: await run.step('compare', () => compareWithBackup(restore)), backupId });
    // What the undos do, shown step by step.
    await run.irrevocably(async () => {
      await clearGround(run, scratch);
      await run.insist('give_back', () => releaseTenant(scratch));
    });
  });
}
