import { patched, sleep } from '@temporalio/workflow';
import type { ScheduleBefore } from '../contracts/maintenance';
import type { RehearsalEvidence, TenantKey } from '../contracts/certificate';
import { backupIds } from '../contracts/names';
import type { OffboardingRequest, Operation, OperationInput } from '../contracts/operation';
import type { WorkingStatus } from '../contracts/tenant';
import { rehearsalEvidence } from '../domain/certificate';
import { cancelTurnsAtMs } from '../domain/draining';
import { clearGround } from './building';
import { countLastUse } from './counting';
import {
  announceDeletion,
  blockTenant,
  buryTenant,
  checkKeyIsLost,
  closeEndedSessions,
  createTenantSchedules,
  deleteGateway,
  deleteIdentity,
  deleteRuntime,
  deleteScaling,
  deleteTenantSchedules,
  endWork,
  issueCertificate,
  keepInventory,
  drainSessions,
  schedulesBeforeLeaving,
  statusBeforeLeaving,
  takeBackup,
  unblockTenant,
  verifyBackup,
} from './lifecycle-activities';
import { OperationRun } from './progress';
import { rehearseRestore } from './rehearse';

/**
 * Lets a tenant go. Until deletion begins, a failure or a cancellation makes the tenant what it was (its backup is
 * kept, its sessions stay closed); from then on there is only forward. See docs/decisions/0007-lifecycle-saga.md.
 */
export async function offboarding(input: OperationInput<'offboarding'>): Promise<Operation> {
  const run = new OperationRun('offboarding', input);
  const whole = { ...input, request: wholeRequest(input.request) };
  return run.conduct(async () => {
    const proof = whole.request.withoutBackup ? await prepareWithoutBackup(run, whole) : await prepare(run, whole);
    await run.irrevocably(() => destroy(run, whole, proof));
  });
}

type Offboarding = OperationRun<'offboarding'>;
type Input = OperationInput<'offboarding'>;
type Tenant = { readonly tenantId: string; readonly operationId: string };

/** What the certificate says of the tenant's last backup. */
interface Proof {
  /** What ran by the clock, and was deleted first. */
  readonly schedules: readonly ScheduleBefore[];
  readonly rehearsal: RehearsalEvidence;
  /** There is no backup, since this key is lost. */
  readonly lostKey?: TenantKey;
}

async function prepare(run: Offboarding, { operationId, request }: Input): Promise<Proof> {
  const { tenantId, graceSeconds } = request;
  const tenant = { tenantId, operationId };
  const heardAfterMs = await block(run, tenant);
  const cancelTurnsAt = new Date(cancelTurnsAtMs(request.drain, Date.now() + heardAfterMs)).toISOString();
  const schedules = patched('tenant-schedules') ? await deleteSchedules(run, tenant) : [];
  await run.step(
    'drain',
    async () => {
      await sleep(heardAfterMs);
      run.note({ sessions: await drainSessions({ tenantId, cancelTurnsAt }) });
    },
    async () => {
      if (patched('drain-taken-back')) await closeEndedSessions({ tenantId });
    },
  );
  await countLastUse(run, tenantId);
  const backup = { tenantId, backupId: backupIds.ofOperation(operationId) };
  await run.step('backup', () => takeBackup(backup));
  await run.step('verify_backup', () => verifyBackup(backup));
  run.note({ backupId: backup.backupId });
  const rehearsal = patched('restore-rehearsed') ? await rehearse(run, request, backup.backupId) : skippedRehearsal;
  if (graceSeconds > 0) await run.step('grace_period', () => waitOutGrace(run, tenant, graceSeconds * 1_000));
  else run.skip('grace_period');
  return { schedules, rehearsal };
}

/**
 * Of a tenant whose key is lost nothing can be read: there is no backup, and its sessions cannot even be closed in order. That the key
 * is lost is looked at before anything happens, and again before anything is deleted.
 */
async function prepareWithoutBackup(run: Offboarding, { operationId, request: { tenantId, graceSeconds } }: Input): Promise<Proof> {
  const tenant = { tenantId, operationId };
  const heardAfterMs = await block(run, tenant, () => checkKeyIsLost(tenant));
  const schedules = await deleteSchedules(run, tenant);
  await sleep(heardAfterMs);
  for (const step of ['drain', 'count_usage', 'backup', 'verify_backup', 'rehearse_restore'] as const) run.skip(step);
  if (graceSeconds > 0) await run.step('grace_period', () => waitOutGrace(run, tenant, graceSeconds * 1_000));
  // The end of the same step, with attempts of its own: the wait is not repeated.
  const lostKey = await run.step('grace_period', () => checkKeyIsLost(tenant));
  return { schedules, rehearsal: { outcome: 'skipped', reason: 'There is no backup to restore.' }, lostKey };
}

/** @param check - what else must hold; its failure is the answer to whoever asked. @returns how long to wait until every process has heard of it. */
async function block(run: Offboarding, tenant: Tenant, check?: () => Promise<unknown>): Promise<number> {
  let before: WorkingStatus | undefined;
  return run.step(
    'block',
    async () => {
      await check?.();
      // Once blocked, nobody knows: what the first attempt heard stays.
      before ??= await statusBeforeLeaving(tenant);
      return (await blockTenant({ ...tenant, from: before })).heardAfterMs;
    },
    async () => {
      if (before) await unblockTenant({ ...tenant, to: before });
    },
  );
}

/** Nothing is deleted before its backup has brought a tenant back, unless that was asked for. */
async function rehearse(run: Offboarding, { tenantId, rehearsal }: OffboardingRequest, backupId: string): Promise<RehearsalEvidence> {
  if (rehearsal === 'skipped') {
    run.skip('rehearse_restore');
    return { ...skippedRehearsal, reason: 'The operator asked to skip it.' };
  }
  return rehearsalEvidence(await run.step('rehearse_restore', () => rehearseRestore({ sourceTenantId: tenantId, backupId })));
}

const skippedRehearsal = { outcome: 'skipped', reason: 'The offboarding began before restores were rehearsed.' } as const;

/** Nothing starts by the clock any more; who stays gets back what was scheduled, paused where it was. */
async function deleteSchedules(run: Offboarding, tenant: Tenant): Promise<readonly ScheduleBefore[]> {
  let before: ScheduleBefore[] | undefined;
  await run.step(
    'delete_schedules',
    async () => {
      // Once they are deleted, nobody knows: what the first attempt saw stays.
      before ??= await schedulesBeforeLeaving(tenant);
      await deleteTenantSchedules(tenant);
    },
    async () => {
      if (before) await createTenantSchedules({ ...tenant, paused: before.filter(({ paused = true }) => paused) });
    },
  );
  return before ?? [];
}

async function waitOutGrace(run: Offboarding, tenant: Tenant, graceMs: number): Promise<void> {
  const keepUntil = new Date(Date.now() + graceMs).toISOString();
  if (patched('grace-announced')) {
    run.note({ cancellableUntil: keepUntil });
    await announceDeletion({ ...tenant, keepUntil });
  }
  await sleep(graceMs);
}

/** An offboarding that began when less could be asked goes on as it would have. */
const wholeRequest = ({ drainSeconds = 0, ...request }: Partial<OffboardingRequest> & Pick<OffboardingRequest, 'tenantId' | 'graceSeconds'> & { drainSeconds?: number }): OffboardingRequest => ({
  drain: { policy: 'wait', seconds: drainSeconds },
  rehearsal: 'required',
  histories: 'kept',
  requestedBy: 'unknown',
  ...request,
});

async function destroy(run: Offboarding, { operationId, request }: Input, proof: Proof): Promise<void> {
  const tenant = { tenantId: request.tenantId, operationId };
  const isCertified = patched('deletion-certificate');
  if (isCertified) {
    await run.insist('take_inventory', () => keepInventory(tenant));
    await run.insist('end_work', () => endWork({ ...tenant, deleteHistories: request.histories === 'deleted' }));
  }
  if (patched('complete-offboarding')) {
    await run.insist('delete_scaling', () => deleteScaling(tenant));
    await run.insist('delete_gateway', () => deleteGateway(tenant));
    await run.insist('delete_identity', () => deleteIdentity(tenant));
    await run.insist('delete_runtime', () => deleteRuntime(tenant));
  }
  const keys = await clearGround(run, tenant);
  await run.insist('tombstone', () => buryTenant({ ...tenant, keys }));
  if (isCertified) await run.insist('certificate', () => issueCertificate({ ...tenant, operation: run.current, request, ...proof }));
}
