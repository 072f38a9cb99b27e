import type { Operation, OperationInput } from '../contracts/operation';
import {
  checkNothingRemains,
  compareWithBackup,
  createInfrastructure,
  createMemory,
  deleteConfig,
  deleteInfrastructure,
  deleteMemory,
  emptyBucket,
  releaseTenant,
  reserveTenant,
  restoreData,
  restoreUsers,
  scheduleKeyDeletion,
} from './lifecycle-activities';
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
    const infrastructure = await run.step(
      'infrastructure',
      () => createInfrastructure(scratch),
      async () => {
        await emptyBucket({ ...scratch, ofStackOnly: true });
        await deleteInfrastructure(scratch);
        await scheduleKeyDeletion(scratch);
      },
    );
    await run.step(
      'memory',
      () => createMemory({ ...scratch, infrastructure }),
      () => deleteMemory(scratch),
    );
    await run.step('restore_users', () => restoreUsers(restore));
    await run.step(
      'restore_data',
      () => restoreData(restore),
      () => deleteConfig(scratch),
    );
    run.note({ comparison: await run.step('compare', () => compareWithBackup(restore)), backupId });
    await run.irrevocably(() => clearAway(run, scratch));
  });
}

/** What the undos do, shown step by step. */
async function clearAway(run: OperationRun<'rehearsal'>, scratch: { tenantId: string; operationId: string }): Promise<void> {
  await run.insist('delete_memory', () => deleteMemory(scratch));
  await run.insist('delete_config', () => deleteConfig(scratch));
  await run.insist('empty_bucket', () => emptyBucket(scratch));
  await run.insist('delete_infrastructure', () => deleteInfrastructure(scratch));
  await run.insist('schedule_key_deletion', () => scheduleKeyDeletion(scratch));
  await run.insist('check_remains', () => checkNothingRemains(scratch));
  await run.insist('give_back', () => releaseTenant(scratch));
}
