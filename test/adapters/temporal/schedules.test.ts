import { Client } from '@temporalio/client';
import { decodeFromPayloadsAtIndex, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow';
import { createScheduleActivities } from '../../../src/activities/lifecycle/schedules';
import { createAgentClock } from '../../../src/adapters/temporal/agent-clock';
import { createTemporalClient } from '../../../src/adapters/temporal/connection';
import { createSchedules } from '../../../src/adapters/temporal/schedules';
import { createTenantWork } from '../../../src/adapters/temporal/tenant-work';
import { loadConfig } from '../../../src/config';
import { scheduleIds, workflowIds } from '../../../src/contracts/names';
import { AgentSchedule } from '../../../src/contracts/schedule';
import { jobsOf, pauseNote, restNote } from '../../../src/domain/maintenance';
import { tenantKey } from '../../../src/workflows/search-attributes';
import { useOwnNamespace } from '../../support/own-namespace';
import { agentSchedules, dataConverter, newTenantId, standingTenant } from '../aws/tenants';

let temporal: ReturnType<typeof createTemporalClient>;
let schedules: ReturnType<typeof createSchedules>;
let agentClock: ReturnType<typeof createAgentClock>;
let activities: ReturnType<typeof createScheduleActivities>;
const name = 'stale_sessions';
const operationId = 'suspension_acme_0123456789abcdefghjkmnpqrs';
// Nobody else serves queues of this namespace: what is started runs on.
beforeAll(async () => {
  await useOwnNamespace();
  temporal = createTemporalClient(loadConfig().temporal, dataConverter);
  schedules = createSchedules(temporal.client);
  agentClock = createAgentClock(temporal.client);
  activities = createScheduleActivities({ schedules, agentSchedules, agentClock });
});
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
  await handleOf(tenantId).trigger('SKIP');
  let running: readonly string[] = [];
  while (running.length === 0) running = (await schedules.list(tenantId)).flatMap((one) => one.running);
  await schedules.delete(tenantId);
  await schedules.delete(tenantId);
  const [workflowId = ''] = running;
  expect(workflowId).toContain(`${tenantId}/maintenance/${name}`);
  await expect(temporal.client.workflow.getHandle(workflowId).describe()).resolves.toMatchObject({ status: { name: 'TERMINATED' } });
});

const at = '2026-11-28T00:00:00.000Z';
const agentSchedule = (change: object = {}): AgentSchedule =>
  AgentSchedule.parse({ name: 'morning', times: { cron: '30 7 * * 1-5', timeZone: 'Europe/Berlin' }, agent: 'support@3', userId: 'ann', requestId: 'req-1', revision: 1, createdAt: at, updatedAt: at, ...change });

/** One with two scheduled agents, of which a person has paused one. */
async function tenantWithAgents(): Promise<string> {
  const { tenantId } = await standingTenant();
  const paused = { by: 'ann', at, reason: 'an audit' };
  for (const schedule of [agentSchedule(), agentSchedule({ name: 'audited', paused })]) await agentSchedules.create(tenantId, schedule, 'What is new?');
  await activities.createTenantSchedules({ tenantId, operationId });
  return tenantId;
}

const agentsOf = async (tenantId: string) => Promise.all(['morning', 'audited'].map((one) => agentClock.state(tenantId, one)));
const listed = (tenantId: string, count: number) => until(async () => (await agentClock.names(tenantId)).length === count);
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

it('has a scheduled agent run as it is written, names and no texts, until the tenant leaves; called off, it comes back as it was', async () => {
  const tenantId = await tenantWithAgents();
  const keyless = new Client({ connection: temporal.client.connection, namespace: temporal.client.options.namespace });
  const { spec, policies, action, memo, typedSearchAttributes } = await keyless.schedule.getHandle(scheduleIds.of(tenantId, scheduleIds.agentJob('morning'))).describe();
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 600_000, pauseOnFailure: false });
  expect(spec).toMatchObject({ jitter: 10_000, timezone: 'Europe/Berlin', calendars: [expect.objectContaining({ hour: [{ start: 7, end: 7, step: 1 }], dayOfWeek: [{ start: 'MONDAY', end: 'FRIDAY', step: 1 }] })] });
  expect(action).toMatchObject({ workflowType: 'scheduledRun', workflowId: workflowIds.scheduledRun(tenantId, 'morning'), args: [{ tenantId, schedule: 'morning' }], staticSummary: `Scheduled agent morning (${tenantId})` });
  expect([memo, typedSearchAttributes.get(tenantKey)]).toEqual([{ owner: tenantId, summary: 'Scheduled agent morning' }, tenantId]);

  await listed(tenantId, 2);
  await agentClock.pause(tenantId, 'morning', restNote(operationId));
  const before = await activities.schedulesBeforeLeaving({ tenantId, operationId });
  expect(before).toContainEqual({ name: 'agents/morning', paused: true, note: restNote(operationId) });
  await activities.deleteTenantSchedules({ tenantId, operationId });
  expect(await agentsOf(tenantId)).toEqual([undefined, undefined]);
  await activities.createTenantSchedules({ tenantId, operationId, paused: before.filter(({ paused }) => paused) });
  expect(await agentsOf(tenantId)).toMatchObject([{ paused: true, note: restNote(operationId) }, { paused: true, note: 'Paused by user ann: an audit' }]);
});

it('follows the table of a tenant that was restored: what is not written there is gone, what is comes back as it is written', async () => {
  const tenantId = await tenantWithAgents();
  await listed(tenantId, 2);
  await activities.pauseTenantSchedules({ tenantId, operationId });
  await agentSchedules.delete(tenantId, 'audited');
  await agentSchedules.replace(tenantId, agentSchedule({ times: { everySeconds: 3_600 } }));
  await activities.resumeTenantSchedules({ tenantId, operationId });
  expect(await agentsOf(tenantId)).toMatchObject([{ paused: false }, undefined]);
  const { spec } = await temporal.client.schedule.getHandle(scheduleIds.of(tenantId, scheduleIds.agentJob('morning'))).describe();
  expect(spec).toMatchObject({ intervals: [{ every: 3_600_000 }], calendars: [] });
});

it('rests on after a restore of a time at which a person had paused it', async () => {
  const tenantId = await tenantWithAgents();
  await listed(tenantId, 2);
  await activities.pauseTenantSchedules({ tenantId, operationId });
  await agentSchedules.replace(tenantId, agentSchedule({ paused: { by: 'ann', at, reason: 'a holiday' } }));
  await activities.resumeTenantSchedules({ tenantId, operationId });
  expect(await agentsOf(tenantId)).toMatchObject([{ paused: true, note: 'Paused by user ann: a holiday' }, { paused: true, note: 'Paused by user ann: an audit' }]);
});

it('comes back paused where it was paused', async () => {
  const { tenantId } = await standingTenant();
  await schedules.ensure(tenantId);
  await schedules.pause(tenantId, name, pauseNote('ann', 'an audit'));
  const paused = await activities.schedulesBeforeLeaving({ tenantId, operationId });
  await activities.deleteTenantSchedules({ tenantId, operationId });
  await activities.createTenantSchedules({ tenantId, operationId, paused });
  expect(await schedules.list(tenantId)).toContainEqual({ name, paused: true, note: 'Paused by ann: an audit', running: [] });
});

it('rests with its tenant, and what a person paused stays paused after it', async () => {
  const [resting, audited] = [await tenantWithAgents(), (await standingTenant()).tenantId];
  await Promise.all([schedules.ensure(resting), schedules.ensure(audited), listed(resting, 2)]);
  await schedules.pause(audited, name, pauseNote('ann', 'an audit'));
  for (const tenantId of [resting, audited]) {
    await activities.pauseTenantSchedules({ tenantId, operationId });
    expect((await schedules.list(tenantId)).every(({ paused }) => paused)).toBe(true);
    if (tenantId === resting) expect(await agentsOf(resting)).toMatchObject([{ paused: true, note: restNote(operationId) }, { paused: true, note: 'Paused by user ann: an audit' }]);
    await activities.resumeTenantSchedules({ tenantId, operationId });
  }
  expect((await schedules.list(resting)).every(({ paused, note }) => !paused && note.startsWith(`Resumed by operation ${operationId}`))).toBe(true);
  expect(await agentsOf(resting)).toMatchObject([{ paused: false }, { paused: true, note: 'Paused by user ann: an audit' }]);
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
  const keyless = new Client({ connection: temporal.client.connection, namespace: temporal.client.options.namespace });
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
