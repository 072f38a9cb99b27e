import { sleep } from '@temporalio/workflow';
import type { Operation, OperationInput } from '../contracts/operation';
import { withClaim } from './claiming';
import { acceptClients, clientsBefore, retireClient, setClients } from './lifecycle-activities';
import { OperationRun } from './progress';

/**
 * Gives a tenant's users another app client. Both are accepted for a while, in which the operation can be cancelled; then the
 * old one is accepted no longer, and deleted. See docs/decisions/0025-rotation.md.
 */
export async function clientRotation(input: OperationInput<'clientRotation'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, overlapSeconds } = request;
  const run = new OperationRun('clientRotation', input);
  let known: { before: 'first' | 'second'; tenantCacheMs: number } | undefined;
  const check = async () => {
    known ??= await clientsBefore({ tenantId });
  };
  const next = () => (known?.before === 'second' ? 'first' : 'second');

  return run.conduct(() =>
    withClaim(
      run,
      { tenantId, operationId, check },
      async () => {
        const before = known?.before ?? 'first';
        await run.step(
          'create_client',
          () => setClients({ tenantId, clients: before === 'first' ? 'first-to-second' : 'second-to-first' }),
          () => setClients({ tenantId, clients: before }),
        );
        await run.optional(
          'accept_client',
          () => acceptClients({ tenantId }),
          async () => {
            await acceptClients({ tenantId, only: 'retiring' });
          },
        );
        await run.step('overlap', () => sleep(overlapSeconds * 1_000));
      },
      async () => {
        await run.insist('retire_client', async () => {
          await retireClient({ tenantId });
          await acceptClients({ tenantId });
          await sleep(known?.tenantCacheMs ?? 0);
        });
        await run.insist('delete_client', () => setClients({ tenantId, clients: next() }));
      },
    ),
  );
}
