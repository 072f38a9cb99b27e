import { patched } from '@temporalio/workflow';
import type { RestoreMode } from '../activities/lifecycle/backups';
import { backupIds } from '../contracts/names';
import type { Operation, OperationInput } from '../contracts/operation';
import { buildGround, giveAgentCoreParts, giveScaling, giveSchedules, proveItWorks } from './building';
import { whileClaimed } from './claiming';
import { countLastUse } from './counting';
import {
  activateTenant,
  claimTenant,
  compareWithBackup,
  deleteConfig,
  findBackup,
  forgetRestore,
  forgetSessions,
  releaseClaim,
  releaseTenant,
  reserveTenant,
  restoreData,
  restoreMode,
  restoreUsers,
  takeBackup,
  takeBackUsers,
  verifyBackup,
} from './lifecycle-activities';
import { OperationRun } from './progress';

type Restore = OperationRun<'restore'>;
type Input = OperationInput<'restore'>;

const newTenantSteps = ['infrastructure', 'memory', 'runtime', 'identity', 'gateway'] as const;
const newTenantEnd = ['schedules', 'scaling', 'worker', 'smoke_turn', 'activate'] as const;

/**
 * Brings a backup back: as a new tenant, built as onboarding builds one, or in place of what a suspended tenant has, which
 * is backed up first and put back should the restore fail. See docs/decisions/0021-restore.md.
 */
export async function restore(input: Input): Promise<Operation> {
  const run = new OperationRun('restore', input);
  return run.conduct(async () => {
    const mode = await admit(run, input);
    await (mode === 'new' ? intoNewTenant(run, input) : inPlace(run, input));
  });
}

/** Finds the backup, and takes the tenant, or its id, for this operation. */
async function admit(run: Restore, { operationId, request }: Input): Promise<RestoreMode> {
  const { tenantId, sourceTenantId, backupId } = request;
  const tenant = { tenantId, operationId };
  let mode: RestoreMode | undefined;
  return run.step(
    'admit',
    async () => {
      const { tenant: was } = await findBackup({ tenantId: sourceTenantId, backupId });
      mode ??= await restoreMode(tenant);
      if (mode === 'in-place') await claimTenant({ ...tenant, from: ['suspended'] });
      else await reserveTenant({ ...tenant, ...(was ?? { displayName: tenantId, tier: 'standard' }) });
      return mode;
    },
    async () => {
      if (mode) await (mode === 'in-place' ? releaseClaim(tenant) : releaseTenant(tenant));
    },
  );
}

async function intoNewTenant(run: Restore, { operationId, request }: Input): Promise<void> {
  const tenant = { tenantId: request.tenantId, operationId };
  run.skip('count_usage');
  run.skip('backup');
  const infrastructure = await buildGround(run, tenant);
  await giveAgentCoreParts(run, { ...tenant, infrastructure });
  // A tenant of this id may have been here, and left.
  await run.step('forget_sessions', () => forgetSessions(tenant));
  await bringBack(run, { ...request, operationId }, { data: () => deleteConfig(tenant) });
  await giveSchedules(run, tenant);
  await giveScaling(run, tenant);
  await proveItWorks(run, tenant);
  run.skip('release');
  await run.irrevocably(() => run.step('activate', () => activateTenant(tenant)));
}

/** The tenant is suspended before and after; its operator resumes it. It was claimed when it was admitted. */
async function inPlace(run: Restore, { operationId, request }: Input): Promise<void> {
  const { tenantId } = request;
  const present = { tenantId, backupId: backupIds.ofOperation(operationId) };
  await whileClaimed(run, { tenantId, operationId }, async () => {
    await countLastUse(run, tenantId);
    await run.step('backup', async () => {
      await takeBackup({ ...present, reason: 'before-restore' });
      await verifyBackup({ ...present, operationId });
    });
    run.note({ backupId: present.backupId });
    for (const step of newTenantSteps) run.skip(step);
    await run.step('forget_sessions', () => forgetSessions({ tenantId }));
    const source = { ...request, operationId };
    const before = { tenantId, operationId, sourceTenantId: tenantId, backupId: present.backupId };
    await bringBack(run, source, {
      data: () => restoreData(before),
      async users() {
        if (!patched('restore-undone-in-full')) return;
        await takeBackUsers({ ...source, before });
        // What was taken back is not believed to be, either.
        await compareWithBackup(before);
      },
    });
    for (const step of newTenantEnd) run.skip(step);
  });
}

interface Undos {
  readonly data: () => Promise<void>;
  /** Absent: they go with the tenant. */
  readonly users?: () => Promise<void>;
}

async function bringBack(run: Restore, source: Parameters<typeof restoreData>[0], undo: Undos): Promise<void> {
  await run.step('restore_users', () => restoreUsers(source), undo.users);
  await run.step(
    'restore_data',
    () => restoreData(source),
    async () => {
      await undo.data();
      if (patched('restore-forgotten')) await forgetRestore(source);
    },
  );
  run.note({ comparison: await run.step('compare', () => compareWithBackup(source)) });
}
