import type { WorkingStatus } from '../contracts/tenant';
import { claimTenant, releaseClaim } from './lifecycle-activities';

/** The part of an operation that ends with the step `release`. */
interface ReleasingRun {
  insist(name: 'release', attempt: () => Promise<void>): Promise<void>;
  irrevocably(rest: () => Promise<void>): Promise<void>;
}

/** The part of an operation that has the steps `claim` and `release`. */
interface ClaimingRun extends ReleasingRun {
  step(name: 'claim', attempt: () => Promise<void>, undo: () => Promise<void>): Promise<void>;
}

interface Claim {
  readonly tenantId: string;
  readonly operationId: string;
  /** Statuses the operation can begin in; active or suspended when absent. */
  readonly from?: readonly WorkingStatus[];
  /** What else must hold before anything is done; its failure is the answer to whoever asked for the operation. */
  readonly check?: () => Promise<void>;
}

/**
 * Does something to a tenant while no other operation may. See docs/decisions/0023-one-operation-at-a-time.md.
 *
 * @param body - steps that can be taken back.
 * @param finish - steps behind the point of no return.
 */
export async function withClaim(run: ClaimingRun, { check, from, ...tenant }: Claim, body: () => Promise<void>, finish?: () => Promise<void>): Promise<void> {
  await run.step(
    'claim',
    async () => {
      await claimTenant({ ...tenant, ...(from && { from }) });
      await check?.();
    },
    () => releaseClaim(tenant),
  );
  await whileClaimed(run, tenant, body, finish);
}

/** The rest of an operation that has claimed its tenant, in a step that undoes that should it fail. */
export async function whileClaimed(run: ReleasingRun, tenant: Pick<Claim, 'tenantId' | 'operationId'>, body: () => Promise<void>, finish?: () => Promise<void>): Promise<void> {
  await body();
  await run.irrevocably(async () => {
    await finish?.();
    await run.insist('release', () => releaseClaim(tenant));
  });
}
