import { sleep } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { checkConfig, putConfig, putConfigBack } from './lifecycle-activities';
import { OperationRun } from './progress';

/** Gives a tenant another agent configuration: turns that run finish as they began. */
export async function configurationChange(input: OperationInput<'configurationChange'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, agent } = request;
  const run = new OperationRun('configurationChange', input);
  let known: { before?: number; heardAfterMs: number } | undefined;
  const check = async () => {
    known ??= await checkConfig({ tenantId, agent });
  };

  return run.conduct(() =>
    withClaim(run, { tenantId, operationId, check }, async () => {
      await run.step(
        'change_config',
        () => putConfig({ tenantId, agent }),
        async () => {
          // Nobody wants back what could not be read.
          if (known?.before !== undefined) await putConfigBack({ tenantId, version: known.before });
        },
      );
      await run.step('take_effect', () => sleep(known?.heardAfterMs ?? 0));
    }),
  );
}
