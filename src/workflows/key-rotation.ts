import { sleep } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { beforeRotation, checkKey, renewDataKeys, rotateKey } from './lifecycle-activities';
import { OperationRun } from './progress';

/**
 * Gives a tenant's key new material, and lets go of the data keys in use. Nothing of it is taken back, and nothing needs to
 * be: a rotated key reads all it ever encrypted. See docs/decisions/0025-rotation.md.
 */
export async function keyRotation(input: OperationInput<'keyRotation'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId } = request;
  const run = new OperationRun('keyRotation', input);
  let before: { rotations?: number; sealed: string } | undefined;

  return run.conduct(() =>
    withClaim(run, { tenantId, operationId }, async () => {
      const { rotations, sealed } = await run.step('rotate_key', async () => {
        before ??= await beforeRotation({ tenantId });
        if (before.rotations !== undefined) await rotateKey({ tenantId, rotations: before.rotations });
        return before;
      });
      // The key service has no rotation on demand: the data keys are all that can be renewed.
      if (rotations === undefined) run.skip('rotate_key');
      const { heardAfterMs } = await run.step('renew_data_keys', () => renewDataKeys({ tenantId, operationId }));
      await run.step('take_effect', () => sleep(heardAfterMs));
      await run.step('check_key', () => checkKey({ tenantId, sealed }));
    }),
  );
}
