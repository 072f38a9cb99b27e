import { Client } from '@temporalio/client';
import { decodeFromPayloadsAtIndex, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow';
import { createScheduleActivities } from '../../../src/activities/lifecycle/schedules';
import { createTemporalClient } from '../../../src/adapters/temporal/connection';
import { createSchedules } from '../../../src/adapters/temporal/schedules';
import { createTenantWork } from '../../../src/adapters/temporal/tenant-work';
import { scheduleIds, workflowIds } from '../../../src/contracts/names';
import { jobsOf, pauseNote } from '../../../src/domain/maintenance';
import { config, dataConverter, newTenantId } from '../aws/tenants';

const temporal = createTemporalClient(config.temporal, dataConverter);
const schedules = createSchedules(temporal.client);
const activities = createScheduleActivities({ schedules });
const name = 'stale_sessions';
const operationId = 'suspension_acme_0123456789abcdefghjkmnpqrs';
afterAll(() => temporal.close());

const handleOf = (tenantId: string) => temporal.client.schedule.getHandle(scheduleIds.of(tenantId, name));

it('creates what a tenant lacks, once, and says what it is for', async () => {
  const tenantId = newTenantId();
  expect(await schedules.ensure(tenantId)).toEqual([...jobsOf(tenantId).keys()]);
  expect(await schedules.ensure(tenantId)).toEqual([]);
  const { spec, policies, memo, state, action } = await handleOf(tenantId).describe();
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 6 * 3_600_000, pauseOnFailure: false });
  expect(spec).toMatchObject({ jitter: 3_600_000, calendars: [expect.objectContaining({ hour: [{ start: 4, end: 4, step: 1 }] })] });
  expect(memo).toMatchObject({ owner: tenantId, summary: 'Close sessions that have been idle for long' });
  expect(state).toMatchObject({ paused: false, note: 'Close sessions that have been idle for long' });
  expect(action).toMatchObject({ workflowType: 'staleSessionClosing', workflowId: workflowIds.maintenance(tenantId, name), args: [{ tenantId }] });
});

it("leaves alone what operators have changed, and other tenants'", async () => {
  const [mine, other] = [newTenantId(), newTenantId()];
  await Promise.all([schedules.ensure(mine), schedules.ensure(other)]);
  await schedules.pause(mine, name, pauseNote('ann', 'an audit'));
  await handleOf(mine).update(({ spec, ...rest }) => ({ ...rest, spec: { ...spec, jitter: 1_000 } }));
  await schedules.ensure(mine);
  expect(await handleOf(mine).describe()).toMatchObject({ state: { paused: true, note: 'Paused by ann: an audit' }, spec: { jitter: 1_000 } });
  await schedules.delete(mine);
  expect(await schedules.list(mine)).toEqual([]);
  expect(await schedules.list(other)).toHaveLength(jobsOf(other).size);
});

it('is deleted with what it started; deleting again is fine', async () => {
  const tenantId = newTenantId();
  await schedules.ensure(tenantId);
  // Nobody serves the maintenance queue here: what is started runs on.
  await handleOf(tenantId).trigger('SKIP');
  let running: readonly string[] = [];
  while (running.length === 0) running = (await schedules.list(tenantId)).flatMap((one) => one.running);
  await schedules.delete(tenantId);
  await schedules.delete(tenantId);
  const [workflowId = ''] = running;
  expect(workflowId).toContain(`${tenantId}/maintenance/${name}`);
  await expect(temporal.client.workflow.getHandle(workflowId).describe()).resolves.toMatchObject({ status: { name: 'TERMINATED' } });
});

it('comes back paused where it was paused', async () => {
  const tenantId = newTenantId();
  await schedules.ensure(tenantId);
  await schedules.pause(tenantId, name, pauseNote('ann', 'an audit'));
  const paused = await activities.schedulesBeforeLeaving({ tenantId, operationId });
  await activities.deleteTenantSchedules({ tenantId, operationId });
  await activities.createTenantSchedules({ tenantId, operationId, paused });
  expect(await schedules.list(tenantId)).toContainEqual({ name, paused: true, note: 'Paused by ann: an audit', running: [] });
});

it('rests with its tenant, and what a person paused stays paused after it', async () => {
  const [resting, audited] = [newTenantId(), newTenantId()];
  await Promise.all([schedules.ensure(resting), schedules.ensure(audited)]);
  await schedules.pause(audited, name, pauseNote('ann', 'an audit'));
  for (const tenantId of [resting, audited]) {
    await activities.pauseTenantSchedules({ tenantId, operationId });
    expect((await schedules.list(tenantId)).every(({ paused }) => paused)).toBe(true);
    await activities.resumeTenantSchedules({ tenantId, operationId });
  }
  expect((await schedules.list(resting)).every(({ paused, note }) => !paused && note.startsWith(`Resumed by operation ${operationId}`))).toBe(true);
  expect(await schedules.list(audited)).toContainEqual(expect.objectContaining({ name, paused: true, note: 'Paused by ann: an audit' }));
});

describe('run by hand', () => {
  const byHand = { who: 'operator ann', why: 'an audit', request: {} };
  const asked = { ...byHand, request: { repair: true } };

  it('is started by its schedule, paused or not, one at a time, and keeps who wanted it and why', async () => {
    const tenantId = newTenantId();
    await schedules.ensure(tenantId);
    await schedules.pause(tenantId, name, pauseNote('ann', 'an audit'));
    const run = await schedules.run(tenantId, name, byHand);
    const { info, state } = await handleOf(tenantId).describe();
    expect([...info.recentActions, ...info.runningActions.map((action) => ({ action }))].map(({ action }) => action.workflow.workflowId)).toEqual([run.workflowId, run.workflowId]);
    expect(state).toMatchObject({ paused: true, note: 'Paused by ann: an audit' });
    for (const again of [byHand, asked]) await expect(schedules.run(tenantId, name, again)).rejects.toMatchObject({ code: 'maintenance/running' });
    expect((await handleOf(tenantId).describe()).info).toMatchObject({ numActionsTaken: 1, numActionsSkippedOverlap: 0 });
    const { events } = await temporal.client.workflow.getHandle(run.workflowId).fetchHistory();
    const [signal] = (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signalled }) => signalled ?? []);
    expect(signal?.signalName).toBe('startedByHand');
    expect(await decodeFromPayloadsAtIndex(loadDataConverter(dataConverter), 0, signal?.input?.payloads)).toEqual({ who: 'operator ann', why: 'an audit' });
    await schedules.delete(tenantId);
  });

  it('is one run for two who want it at the same moment', async () => {
    const tenantId = newTenantId();
    await schedules.ensure(tenantId);
    const answers = await Promise.allSettled([schedules.run(tenantId, name, byHand), schedules.run(tenantId, name, byHand)]);
    const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.workflowId] : []));
    expect(new Set(told).size).toBe(1);
    const { info } = await handleOf(tenantId).describe();
    expect([info.numActionsTaken, info.runningActions.length]).toEqual([1, 1]);
    await schedules.delete(tenantId);
  });

  it('is a run beside the schedule when it is asked something, and keeps the schedule from another', async () => {
    const tenantId = newTenantId();
    await schedules.ensure(tenantId);
    expect(await schedules.run(tenantId, name, asked)).toMatchObject({ workflowId: workflowIds.maintenanceByHand(tenantId, name) });
    for (const again of [byHand, asked]) await expect(schedules.run(tenantId, name, again)).rejects.toMatchObject({ code: 'maintenance/running' });
    expect((await handleOf(tenantId).describe()).info.numActionsTaken).toBe(0);
    await schedules.delete(tenantId);
    const { status, memo } = await temporal.client.workflow.getHandle(workflowIds.maintenanceByHand(tenantId, name)).describe();
    expect([status.name, memo]).toEqual(['TERMINATED', { who: 'operator ann', why: 'an audit' }]);
  });
});

it('can be read without a key: it holds ids, and what it is for', async () => {
  const tenantId = newTenantId();
  await schedules.ensure(tenantId);
  const keyless = new Client({ connection: temporal.client.connection });
  expect(await keyless.schedule.getHandle(scheduleIds.of(tenantId, name)).describe()).toMatchObject({
    memo: { owner: tenantId, summary: 'Close sessions that have been idle for long' },
    action: { args: [{ tenantId }], staticSummary: `Close sessions that have been idle for long (${tenantId})` },
  });
});

it('says that there is no such schedule', async () => {
  await expect(schedules.pause(newTenantId(), name, 'x')).rejects.toMatchObject({ code: 'maintenance/not-found' });
  await expect(schedules.resume(newTenantId(), name, 'x')).rejects.toMatchObject({ code: 'maintenance/not-found' });
});

it('is found by the inventory; what is the platform\'s is no tenant\'s', async () => {
  const tenantId = newTenantId();
  await schedules.ensure(tenantId);
  await temporal.client.schedule.create({
    scheduleId: `platform/schedules/${tenantId}`,
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' },
  });
  const work = createTenantWork(temporal.client);
  let ids: string[] = [];
  while (!ids.includes(tenantId)) ids = await work.tenantIds();
  expect(ids).not.toContain('platform');
  await temporal.client.schedule.getHandle(`platform/schedules/${tenantId}`).delete();
});
