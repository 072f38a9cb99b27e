import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { ApiProblem } from '../../src/cli/api-client';
import { workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { TenantRecord } from '../../src/contracts/tenant';
import type { User } from '../../src/local/demo/user';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { tenantKey } from '../../src/workflows/search-attributes';

const tenantId = 'acme';
let platform: RunningPlatform;
let alice: User;

beforeAll(async () => {
  process.env['TIERS'] = JSON.stringify({ narrow: { activitySlots: 2, limits: { maxOutputTokens: 2_000 } } });
  platform = await runPlatform();
  expect((await platform.onboard(tenantId)).state).toBe('completed');
  alice = await platform.user(tenantId);
});

afterAll(async () => {
  Reflect.deleteProperty(process.env, 'TIERS');
  await platform.stop();
});

/** Waits for a state that is sure to come, and looks often. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

/** The age at which every process has read the registry anew. */
const everybodyHasHeard = () => delay(1_100);

const begin = (change: string, body: object) =>
  platform.api.call<Operation>(`/api/v1/tenants/${tenantId}/${change}`, { method: 'POST', token: platform.operator, body });
const change = async (name: string, body: object) => platform.ended(await begin(name, body));
const tenant = () => platform.api.call<TenantRecord>(`/api/v1/tenants/${tenantId}`, { token: platform.operator });

describe('suspended and resumed', () => {
  it('pauses a turn between two steps, also when the worker is killed meanwhile, and goes on with it', async () => {
    const prompt = 'compute, then rest';
    await platform.model.script({
      match: prompt,
      // The first is lost with the worker.
      steps: [{ say: 'one moment', holdAfter: 1 }, { say: 'one moment', calls: [{ name: 'calculator', input: { expression: '6*7' } }] }, { say: 'the answer is 42' }],
    });
    const sessionId = await alice.open();
    // A suspended tenant's reader is not let in again: the log is read afterwards.
    const asked = alice.ask(sessionId, prompt).catch(() => undefined);
    await until(async () => (await platform.model.holding(prompt)) === 1);
    const operation = await begin('suspend', { turns: 'pause' });
    await everybodyHasHeard();
    await expect(alice.open()).rejects.toMatchObject({ code: 'tenant/suspended' });
    await expect(begin('tier', { tier: 'premium' })).rejects.toMatchObject({ code: 'tenant/busy', message: expect.stringContaining(operation.operationId) as unknown });
    platform.services.worker.kill('SIGKILL');
    await platform.model.release(prompt);
    expect(await platform.ended(operation)).toMatchObject({ state: 'completed' });
    expect(await tenant()).toMatchObject({ status: 'suspended' });
    await expect(begin('suspend', {})).rejects.toMatchObject({ code: 'tenant/suspended' });

    expect(await change('resume', {})).toMatchObject({ state: 'completed' });
    await expect(begin('resume', {})).rejects.toMatchObject({ code: 'tenant/not-suspended' });
    await everybodyHasHeard();
    await asked;
    await until(async () => (await alice.log(sessionId)).some(({ type }) => type === 'turn.completed'));
    const log = await alice.log(sessionId);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
    expect(log.filter(({ type }) => type === 'tool.completed')).toHaveLength(1);
    expect(log.at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'completed' });
  });
});

describe('moved to another tier', () => {
  it('changes how much runs at once while it runs, and loses nothing', async () => {
    const prompt = 'hold me';
    await platform.model.script({ match: prompt, steps: [{ say: 'held and let go', holdAfter: 1 }], repeat: true });
    const holding = () => platform.model.holding(prompt);
    expect(await change('tier', { tier: 'narrow' })).toMatchObject({ state: 'completed' });
    const sessions = await Promise.all(Array.from({ length: 4 }, () => alice.open()));
    const turns = sessions.map((sessionId) => alice.ask(sessionId, prompt));
    await until(async () => (await holding()) === 2);
    // Long enough for a third to begin, were there room.
    await delay(1_000);
    expect(await holding()).toBe(2);
    expect(await change('tier', { tier: 'standard' })).toMatchObject({ state: 'completed' });
    await until(async () => (await holding()) === 4);
    // Fewer slots interrupt nothing.
    expect(await change('tier', { tier: 'narrow' })).toMatchObject({ state: 'completed' });
    expect(await holding()).toBe(4);
    await platform.model.release(prompt);
    for (const turn of await Promise.all(turns)) expect(turn).toMatchObject({ outcome: 'completed', answer: 'held and let go' });
  });

  it('refuses what its agent does not fit, with the reasons, and what does not exist', async () => {
    expect(await change('tier', { tier: 'standard' })).toMatchObject({ state: 'completed' });
    expect(await change('configuration', { agent: { maxOutputTokens: 4_000 } })).toMatchObject({ state: 'completed' });
    const reason = expect.stringContaining('maxOutputTokens 4000 (at most 2000)') as unknown;
    await expect(begin('tier', { tier: 'narrow' })).rejects.toMatchObject({ code: 'tier/not-allowed', message: reason });
    await expect(begin('tier', { tier: 'none' })).rejects.toMatchObject({ code: 'tier/unknown' });
    await expect(begin('configuration', { agent: { maxOutputTokens: 9_000 } })).rejects.toMatchObject({ code: 'tier/not-allowed' });
    expect(await tenant()).toMatchObject({ tier: 'standard', status: 'active' });
    expect((await tenant()).claimedBy).toBeUndefined();
  });
});

it('finishes a running turn with the configuration it began with, and begins the next one with the new one', async () => {
  const prompt = 'calculate with what you had';
  const steps = [{ say: 'wait', holdAfter: 0, calls: [{ name: 'calculator', input: { expression: '1+1' } }] }, { say: 'done' }];
  await platform.model.script({ match: prompt, steps });
  const sessionId = await alice.open();
  const asked = alice.ask(sessionId, prompt);
  await until(async () => (await platform.model.holding(prompt)) === 1);
  expect(await change('configuration', { agent: { tools: ['current_time'], modelId: 'another.model' } })).toMatchObject({ state: 'completed' });
  await platform.model.release(prompt);
  expect(await asked).toMatchObject({ outcome: 'completed', answer: 'done' });
  const usedModels = async () => (await alice.log(sessionId)).flatMap((event) => (event.type === 'usage.recorded' ? [event.modelId] : []));
  expect(new Set(await usedModels()).size).toBe(1);
  expect(await usedModels()).not.toContain('another.model');
  await alice.ask(sessionId, 'hello again');
  expect((await usedModels()).at(-1)).toBe('another.model');
});

it('rotates the key: what was said before can be read, and the conversation goes on', async () => {
  const sessionId = await alice.open();
  await alice.ask(sessionId, 'before the rotation');
  const rotated = await change('rotate-key', {});
  expect(rotated).toMatchObject({ state: 'completed' });
  expect((await tenant()).keyGeneration).toBe(rotated.operationId);
  await alice.ask(sessionId, 'after the rotation');
  const texts = (await alice.log(sessionId)).flatMap((event) => (event.type === 'turn.started' ? [event.text] : []));
  expect(texts).toEqual(['before the rotation', 'after the rotation']);
});

it('rotates the client: both are accepted in the overlap, one afterwards; cancelled, it is the first again', async () => {
  const clientOf = async () => (await tenant()).infrastructure?.userPoolClientId;
  const first = await clientOf();
  const operation = await begin('rotate-client', { overlapSeconds: 3_600 });
  await until(async () => (await tenant()).infrastructure?.retiringUserPoolClientId === first);
  await everybodyHasHeard();
  await alice.open();
  const bob = await platform.user(tenantId, 'bob');
  await bob.open();
  await platform.api.call(`/api/v1/operations/${operation.operationId}/cancel`, { method: 'POST', token: platform.operator, body: {} });
  expect(await platform.ended(operation)).toMatchObject({ state: 'cancelled' });
  expect(await clientOf()).toBe(first);

  expect(await change('rotate-client', { overlapSeconds: 0 })).toMatchObject({ state: 'completed' });
  const after = (await tenant()).infrastructure;
  expect(after?.userPoolClientId).not.toBe(first);
  expect(after?.retiringUserPoolClientId).toBeUndefined();
  await expect(alice.open()).rejects.toMatchObject({ code: 'auth/unauthenticated' });
  await (await platform.user(tenantId, 'carol')).open();

  // Back to the first place, with a client of its own.
  expect(await change('rotate-client', { overlapSeconds: 0 })).toMatchObject({ state: 'completed' });
  expect([first, after?.userPoolClientId]).not.toContain(await clientOf());
});

describe('offboarded', () => {
  const drainSeconds = 6;
  const operation = (operationId: string) => platform.api.call<Operation>(`/api/v1/operations/${operationId}`, { token: platform.operator });
  const offboard = (query: string) => platform.api.call<Operation>(`/api/v1/tenants/${tenantId}?skipRehearsal=true&${query}`, { method: 'DELETE', token: platform.operator });
  const stepOf = ({ steps }: Operation, name: string) => steps.find((step) => step.name === name);
  const reached = (operationId: string, name: string) => until(async () => ['running', 'completed'].includes(stepOf(await operation(operationId), name)?.state ?? ''));

  /** A turn in the middle of its answer. */
  async function held(prompt: string): Promise<{ sessionId: string; asked: Promise<unknown> }> {
    await platform.model.script({ match: prompt, steps: [{ say: 'one two three', holdAfter: 1 }] });
    const sessionId = await alice.open();
    // Its reader is not let in again once the tenant leaves: the log is read when it is back.
    const asked = alice.ask(sessionId, prompt).catch(() => undefined);
    await until(async () => (await platform.model.holding(prompt)) === 1);
    return { sessionId, asked };
  }

  it('lets a running turn finish, cuts off what takes too long, and waits for nobody who only waits', async () => {
    alice = await platform.user(tenantId);
    const waiting = await alice.open();
    await alice.ask(waiting, 'hello');
    const [quick, slow] = [await held('be quick'), await held('take for ever')];
    const { operationId } = await offboard(`graceSeconds=3600&drainSeconds=${drainSeconds}`);
    await reached(operationId, 'drain');
    await until(() => alice.open().then(() => false, (error: unknown) => error instanceof ApiProblem && error.code === 'tenant/leaving'));
    await platform.model.release('be quick');
    await reached(operationId, 'grace_period');
    await platform.model.release('take for ever');
    const drained = await operation(operationId);
    // Each ended in order: nothing had to be written into a log for it.
    expect(drained.sessions).toMatchObject({ cutOff: 0 });
    const leaving = await platform.api.call<Operation>(`/api/v1/operations/${operationId}/cancel`, { method: 'POST', token: platform.operator, body: {} });
    expect(await platform.ended(leaving)).toMatchObject({ state: 'cancelled' });
    await everybodyHasHeard();
    await Promise.all([quick.asked, slow.asked]);

    const limitMs = Date.parse(stepOf(drained, 'block')?.finishedAt ?? '') + drainSeconds * 1_000;
    const endOf = async (sessionId: string) => {
      const log = await alice.log(sessionId);
      expect(log.at(-1)?.type).toBe('session.closed');
      const turn = log.findLast(({ type }) => type === 'turn.completed');
      return { ...turn, isInTime: Date.parse(log.at(-1)?.at ?? '') < limitMs };
    };
    expect(await endOf(waiting)).toMatchObject({ outcome: 'completed', isInTime: true });
    expect(await endOf(quick.sessionId)).toMatchObject({ outcome: 'completed', isInTime: true });
    expect(await endOf(slow.sessionId)).toMatchObject({ outcome: 'cancelled', isInTime: false });
  });

  it('takes along what still runs for it, and what Temporal keeps of its sessions when that is asked', async () => {
    const temporal = new Client({ connection: await Connection.connect({ address: platform.settings.temporalAddress }) });
    const sessionId = await alice.open();
    await alice.ask(sessionId, 'hello');
    // Nothing of the platform's own runs on: an operator started it.
    const stray = await temporal.workflow.start('usageRollUp', {
      workflowId: `${tenantId}/maintenance/stray`,
      taskQueue: 'nobody-serves-this',
      args: [{ tenantId }],
      typedSearchAttributes: [{ key: tenantKey, value: tenantId }],
    });
    const left = await platform.ended(await offboard('graceSeconds=0&drainPolicy=stop&deleteHistories=true'));
    expect(left).toMatchObject({ state: 'completed' });
    expect((await stray.describe()).status.name).toBe('TERMINATED');
    await until(() => temporal.workflow.getHandle(workflowIds.session(tenantId, sessionId)).describe().then(() => false, (error: unknown) => error instanceof WorkflowNotFoundError));
    // What became of it can still be read.
    expect((await temporal.workflow.getHandle(workflowIds.operation(left.operationId)).fetchHistory()).events).not.toHaveLength(0);
    await temporal.connection.close();
  });
});
