import { sleep } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import type { Tier } from '../contracts/tenant';
import { withClaim } from './claiming';
import { checkTier, setTier } from './lifecycle-activities';
import { OperationRun } from './progress';

/** Moves a tenant to another tier: rates and slots change while it works. A tier its agent does not fit is refused. */
export async function tierChange(input: OperationInput<'tierChange'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, tier } = request;
  const run = new OperationRun('tierChange', input);
  let before: Tier | undefined;
  const check = async () => {
    before ??= (await checkTier({ tenantId, tier })).before;
  };

  return run.conduct(() =>
    withClaim(run, { tenantId, operationId, check }, async () => {
      const { heardAfterMs } = await run.step(
        'change_tier',
        () => setTier({ tenantId, tier }),
        async () => {
          if (before !== undefined) await setTier({ tenantId, tier: before });
        },
      );
      await run.step('take_effect', () => sleep(heardAfterMs));
    }),
  );
}
