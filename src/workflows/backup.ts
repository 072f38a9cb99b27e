import { backupIds } from '../contracts/names';
import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { deleteBackup, findBackup, takeBackup, verifyBackup } from './lifecycle-activities';
import { OperationRun } from './progress';

/** Backs a tenant up while it works or rests, and reads the backup back. One that fails or is cancelled leaves none. */
export async function backup(input: OperationInput<'backup'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, reason } = request;
  const taken = { tenantId, backupId: backupIds.ofOperation(operationId) };
  const run = new OperationRun('backup', input);

  return run.conduct(() =>
    withClaim(run, { tenantId, operationId }, async () => {
      await run.step(
        'backup',
        () => takeBackup({ ...taken, reason }),
        () => deleteBackup(taken),
      );
      // The tenant works on meanwhile: it may hold more by now.
      await run.step('verify_backup', () => verifyBackup({ ...taken, operationId, againstTenant: false }));
      run.note({ backupId: taken.backupId });
    }),
  );
}

/** Reads a backup back and marks it as verified; of a tenant that has left, too. */
export async function backupVerification(input: OperationInput<'backupVerification'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, backupId } = request;
  const run = new OperationRun('backupVerification', input);

  return run.conduct(async () => {
    await run.step('find_backup', () => findBackup({ tenantId, backupId }));
    await run.step('verify_backup', () => verifyBackup({ tenantId, backupId, operationId, againstTenant: false }));
    run.note({ backupId });
  });
}
