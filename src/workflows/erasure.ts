import { sleep } from '@temporalio/workflow';
import type { ErasurePlaceName } from '../contracts/erasure';
import type { StepName } from '../contracts/names';
import type { Operation, OperationInput } from '../contracts/operation';
import { ownersRememberedMs } from '../domain/erasure';
import { withClaim } from './claiming';
import { endErasedSessions, eraseAt, hideErased, listErasure, mustBeErasable, signErasure } from './lifecycle-activities';
import { OperationRun } from './progress';

const stepOf: Readonly<Record<ErasurePlaceName, StepName<'erasure'>>> = {
  table: 'erase_table',
  bucket: 'erase_objects',
  memory: 'erase_facts',
  live: 'erase_live',
  temporal: 'erase_histories',
};
const places = Object.keys(stepOf) as ErasurePlaceName[];

/**
 * Erases a conversation, or all that is kept of a user, while no other operation works on the tenant. What is to go is noted outside of the tenant
 * first, so that no restore brings it back; then it goes, and every place is looked at again. None of it can be taken back, so none of it is tried
 * back: each step is tried until it succeeds. See docs/decisions/0073-erasure.md.
 */
export async function erasure(input: OperationInput<'erasure'>): Promise<Operation> {
  const { operationId, request } = input;
  const { tenantId, subject, requestedBy } = request;
  const ref = { tenantId, operationId };
  const run = new OperationRun('erasure', input);
  run.note({ erasure: { subject, requestedBy } });
  const check = () => mustBeErasable({ tenantId, subject });

  return run.conduct(() =>
    withClaim(run, { ...ref, check }, () => Promise.resolve(), async () => {
      await run.insist('list_erasure', () => listErasure({ ...ref, subject, requestedBy, requestedAt: run.current.startedAt }));
      await run.insist('end_sessions', () => endErasedSessions(ref));
      await run.insist('hide_sessions', async () => {
        await hideErased(ref);
        // Who remembers whose a session was may speak to it until then.
        await sleep(ownersRememberedMs);
      });
      for (const place of places) await run.insist(stepOf[place], () => eraseAt({ ...ref, place }));
      let isFirstLook = true;
      await run.insist('sign_erasure', async () => {
        // What was left, somebody wrote meanwhile.
        if (!isFirstLook) await sweep(ref);
        isFirstLook = false;
        await signErasure(ref);
      });
    }),
  );
}

async function sweep(ref: { readonly tenantId: string; readonly operationId: string }): Promise<void> {
  await endErasedSessions(ref);
  await hideErased(ref);
  for (const place of places) await eraseAt({ ...ref, place });
}
