import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createSessionLifecycleActivities } from '../../src/activities/lifecycle/sessions';
import { createStaleSessionActivities } from '../../src/activities/maintenance/stale-sessions';
import { type Adapters, createAdapters } from '../../src/composition';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import type { DrainedSessions } from '../../src/contracts/operation';
import type { SessionRef } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { createLogger } from '../../src/logging';
import { sessionWorkflow } from '../../src/workflows/definitions';
import { tenantKey } from '../../src/workflows/search-attributes';
import { newTenant } from '../api/accounts';
import { startWorkers } from '../api/workers';
import { aws, config } from '../adapters/aws/tenants';

const newAdapters = () => createAdapters(config, createLogger('worker', 'silent'));
const adapters = newAdapters();
const { sessionWorkflows, sessions, log, messages, temporalClient } = adapters;
const userId = 'ann';

let tenant: ServedTenant;
let stopWorkers: () => Promise<void>;

beforeAll(async () => {
  tenant = await newTenant();
  stopWorkers = await startWorkers(adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await adapters.close();
});

async function open(): Promise<SessionRef> {
  const session = { tenantId: tenant.tenantId, sessionId: `ses-${randomUUID()}` };
  await sessions.create({ ...session, userId, createdAt: new Date().toISOString() });
  return session;
}

/** A session at rest after its first turn. */
async function spokenIn(): Promise<SessionRef> {
  const [session, turnId] = [await open(), `trn-${randomUUID()}`];
  await messages.put(session, { turnId, userId, text: 'hello' });
  await sessionWorkflows.submit(session, { turnId, userId, onBusy: 'reject' });
  while ((await sessionWorkflows.status(session)).turnCount === 0 || (await sessionWorkflows.status(session)).state !== 'idle') await delay(20);
  return session;
}

/** Its workflow fails at each task, and never says anything. */
async function broken(): Promise<SessionRef> {
  const session = await open();
  const workflowId = workflowIds.session(session.tenantId, session.sessionId);
  await temporalClient.workflow.start(sessionWorkflow, { workflowId, taskQueue: taskQueues.sessions, args: [], typedSearchAttributes: [{ key: tenantKey, value: session.tenantId }] });
  const isFailing = async () => ((await temporalClient.workflow.getHandle(workflowId).fetchHistory()).events ?? []).some(({ workflowTaskFailedEventAttributes: failed }) => failed != null);
  while (!(await isFailing())) await delay(20);
  return session;
}

const typesOf = async (session: SessionRef) => (await log.read(session, { after: 0 })).map(({ type }) => type);
const recordOf = (session: SessionRef) => sessions.get(session);
/** Turns were to be cancelled long ago: what does not end is terminated. */
const drain = (deps: Adapters): Promise<DrainedSessions> =>
  new MockActivityEnvironment().run(() => createSessionLifecycleActivities(deps).drainSessions({ tenantId: tenant.tenantId, cancelTurnsAt: new Date(0).toISOString() }));
const closeEnded = (): Promise<void> => new MockActivityEnvironment().run(() => createSessionLifecycleActivities(adapters).closeEndedSessions({ tenantId: tenant.tenantId }));

/** @param during - what happens without it. It gets what a process has that holds no data key any more. */
async function withoutKey(during: (fresh: Adapters) => Promise<void>): Promise<void> {
  const KeyId = tenant.infrastructure.keyArn;
  const fresh = newAdapters();
  await aws.kms.send(new DisableKeyCommand({ KeyId }));
  try {
    await during(fresh);
  } finally {
    await aws.kms.send(new EnableKeyCommand({ KeyId }));
    await fresh.close();
  }
}

const listed = async (session: SessionRef): Promise<boolean> => {
  for await (const { sessionId } of sessionWorkflows.running(tenant.tenantId)) if (sessionId === session.sessionId) return true;
  return false;
};

describe('draining', () => {
  it('terminates no session whose end it could not write: with the key back it ends in order', async () => {
    const session = await spokenIn();
    while (!(await listed(session))) await delay(20);
    await withoutKey(async (fresh) => {
      await expect(drain(fresh)).rejects.toMatchObject({ code: 'key/unavailable' });
      expect(await sessionWorkflows.isRunning(session)).toBe(true);
    });
    await sessionWorkflows.close(session);
    while ((await recordOf(session))?.closedAt === undefined) await delay(20);
    expect((await typesOf(session)).at(-1)).toBe('session.closed');
  });

  it('terminates what does not end, and ends its log', async () => {
    const session = await broken();
    while (!(await listed(session))) await delay(20);
    await drain(adapters);
    expect([await sessionWorkflows.hasEnded(session), await typesOf(session)]).toEqual([true, ['session.closed']]);
    expect((await recordOf(session))?.closedAt).toBeDefined();
    // Temporal refuses each query of such a workflow.
    expect(await sessionWorkflows.status(session)).toMatchObject({ state: 'closed' });
  });
});

describe('draining that was taken back half way', () => {
  it('gives their end to sessions that were terminated, and leaves the others as they are', async () => {
    const [cutOff, atRest, silent] = [await spokenIn(), await spokenIn(), await open()];
    await sessionWorkflows.terminate(cutOff);
    await closeEnded();
    expect([(await typesOf(cutOff)).at(-1), (await recordOf(cutOff))?.closedAt]).toEqual(['session.closed', expect.any(String)]);
    for (const session of [atRest, silent]) expect((await recordOf(session))?.closedAt).toBeUndefined();
    expect([await sessionWorkflows.isRunning(atRest), await typesOf(silent)]).toEqual([true, []]);
    await closeEnded();
    expect((await typesOf(cutOff)).filter((type) => type === 'session.closed')).toHaveLength(1);
  });

  it('does not wait for a key that is lost: the tenant must be free to leave without it', async () => {
    const session = await spokenIn();
    await sessionWorkflows.terminate(session);
    await withoutKey(closeEnded);
    expect((await recordOf(session))?.closedAt).toBeUndefined();
  });
});

describe('closing of idle sessions', () => {
  it('gives its end to one whose workflow was terminated, once', async () => {
    const { tenantId } = await newTenant();
    const session = { tenantId, sessionId: `ses-${randomUUID()}` };
    await sessions.create({ ...session, userId, createdAt: new Date(0).toISOString() });
    const workflowId = workflowIds.session(tenantId, session.sessionId);
    const { firstExecutionRunId: runId } = await temporalClient.workflow.start(sessionWorkflow, { workflowId, taskQueue: 'nobody-here', args: [], typedSearchAttributes: [{ key: tenantKey, value: tenantId }] });
    const runs = async () => (await temporalClient.workflow.count(`TenantId="${tenantId}" AND RunId="${runId}" AND ExecutionStatus="Running"`)).count > 0;
    while (!(await runs())) await delay(20);
    await sessionWorkflows.terminate(session);
    while (await runs()) await delay(20);

    const closeIdle = () => new MockActivityEnvironment().run(() => createStaleSessionActivities({ ...adapters, sessionIdleMs: 60_000 }).closeStaleSessions({ tenantId }));
    expect([await closeIdle(), await closeIdle()]).toEqual([
      { running: 0, closed: 1 },
      { running: 0, closed: 0 },
    ]);
    expect([await typesOf(session), (await recordOf(session))?.closedAt]).toEqual([['session.closed'], expect.any(String)]);
  });
});
