import { setImmediate } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { Operation } from '../../src/contracts/operation';
import { skipWhileWaiting } from '../support/workflow';
import { type ActivityName, failure, LifecycleScript, onboardingRequest, operationIdOf, type OperationParts, withOperation } from './lifecycle-script';

/** What onboarding does, in order, and what undoes it. */
const undoing = {
  reserveTenant: ['releaseTenant'],
  createInfrastructure: ['emptyBucket', 'deleteInfrastructure', 'scheduleKeyDeletion'],
  createMemory: ['deleteMemory'],
  createRuntime: ['deleteRuntime'],
  createIdentity: ['deleteIdentity'],
  createGateway: ['deleteGateway'],
  putConfig: ['deleteConfig'],
  // The user leaves with the pool.
  createAdministrator: [],
  createTenantSchedules: ['deleteTenantSchedules'],
  createScaling: ['deleteScaling'],
  // The queue goes with the tenant.
  handshake: [],
  holdSmokeTurn: ['terminateSessions'],
  activateTenant: [],
} as const satisfies Partial<Record<ActivityName, readonly ActivityName[]>>;

type Step = keyof typeof undoing;
const steps = Object.keys(undoing) as Step[];

/** What must be undone, newest first, when an activity fails or is cancelled. */
const undosOf = Object.fromEntries(
  steps.map((step, index) => [step, steps.slice(0, index + 1).toReversed().flatMap((done): readonly ActivityName[] => undoing[done])]),
) as unknown as Record<Step, readonly ActivityName[]>;

const onboarding = (script: LifecycleScript, scenario: (parts: OperationParts) => Promise<void>) =>
  withOperation(operationIdOf('onboarding'), script.workers(), scenario);

/** Waits until the workflow has asked for an activity that nobody takes. */
async function scheduled(handle: WorkflowHandle, activity: string): Promise<void> {
  for (;;) {
    const { pendingActivities } = (await handle.describe()).raw;
    if (pendingActivities?.some(({ activityType }) => activityType?.name === activity)) return;
    await setImmediate();
  }
}

const statesOf = ({ steps: all }: Operation) => all.map(({ state }) => state);

it('answers once the id is reserved, and ends with an active tenant', async () => {
  const script = new LifecycleScript();
  const infrastructure = script.hold('createInfrastructure');
  await onboarding(script, async ({ operations, result, handle }) => {
    const accepted = await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
    expect(accepted).toMatchObject({ operationId: operationIdOf('onboarding'), state: 'running', tenantId: 'acme' });
    expect(accepted.steps[0]).toMatchObject({ name: 'reserve', state: 'completed' });
    infrastructure.release();
    const operation = await result();
    expect(operation).toMatchObject({ state: 'completed', percent: 100 });
    expect(new Set(statesOf(operation))).toEqual(new Set(['completed']));
    expect(script.calls).toEqual(steps);
    await expect(operations.get(operationIdOf('onboarding'))).resolves.toEqual(operation);
    await expect(handle.describe()).resolves.toMatchObject({ status: { name: 'COMPLETED' } });
  });
});

it('skips what the settings switch off', async () => {
  const script = new LifecycleScript().without('createRuntime', 'createGateway', 'createScaling');
  await onboarding(script, async ({ operations, result }) => {
    await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
    const operation = await result();
    expect(operation.steps.filter(({ state }) => state === 'skipped').map(({ name }) => name)).toEqual(['runtime', 'gateway', 'scaling']);
    expect(operation).toMatchObject({ state: 'completed', percent: 100 });
  });
});

it('takes back what an earlier attempt may have made before it was switched off', async () => {
  const script = new LifecycleScript().fail('createGateway', new Error('socket hang up')).without('createGateway').fail('putConfig', failure('config/invalid', 'no'));
  await onboarding(script, async ({ operations, ended }) => {
    await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
    await ended();
    expect(script.callsAfter('putConfig')).toEqual(undosOf.putConfig);
  });
});

describe('taken back', () => {
  it.each(steps)('undoes exactly what was done, newest first, when %s fails', async (step) => {
    const script = new LifecycleScript().fail(step, failure('infrastructure/failed', 'no such thing'));
    await onboarding(script, async ({ operations, handle, ended }) => {
      const accepted = operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      if (step === 'reserveTenant') await expect(accepted).rejects.toMatchObject({ code: 'infrastructure/failed' });
      else await accepted;
      const operation = await ended();
      expect(script.calls).toEqual([...steps.slice(0, steps.indexOf(step) + 1), ...undosOf[step]]);
      expect(operation).toMatchObject({ state: 'undone', percent: 0, error: { code: 'infrastructure/failed', message: 'no such thing' } });
      expect(statesOf(operation)).not.toContain('pending');
      await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'infrastructure/failed', message: 'no such thing' } });
    });
  });

  it.each(steps.slice(0, -1))('undoes exactly what was done, newest first, when cancelled in %s', async (step) => {
    const script = new LifecycleScript();
    const begun = script.hang(step);
    await onboarding(script, async ({ operations, result }) => {
      const accepted = operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await begun;
      await operations.cancel(operationIdOf('onboarding'));
      const operation = await result();
      await expect(accepted).resolves.toMatchObject({ operationId: operationIdOf('onboarding') });
      expect(script.calls).toEqual([...steps.slice(0, steps.indexOf(step) + 1), ...undosOf[step]]);
      expect(operation).toMatchObject({ state: 'cancelled', percent: 0 });
      expect(operation).not.toHaveProperty('error');
    });
  });

  it('is cancelled from the Temporal UI, too', async () => {
    const script = new LifecycleScript();
    const begun = script.hang('createInfrastructure');
    await onboarding(script, async ({ operations, handle, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await begun;
      await handle.cancel();
      expect(await ended()).toMatchObject({ state: 'cancelled' });
      expect(script.callsAfter('createInfrastructure')).toEqual(undosOf.createInfrastructure);
      await expect(handle.describe()).resolves.toMatchObject({ status: { name: 'CANCELLED' } });
    });
  });

  it('undoes a step that took effect and failed all the same', async () => {
    const script = new LifecycleScript().fail('createMemory', new Error('socket hang up'), failure('infrastructure/failed', 'it exists'));
    await onboarding(script, async ({ operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await ended();
      expect(script.callsAfter('createMemory')).toEqual(undosOf.createMemory);
    });
  });

  it('says so when no worker serves the tenant within a minute', async () => {
    const script = new LifecycleScript();
    await withOperation(operationIdOf('onboarding'), script.workersWithoutTenant(), async ({ env, operations, ended, handle }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await scheduled(handle, 'handshake');
      await skipWhileWaiting(env, '1 minute');
      expect((await ended()).error).toEqual({ code: 'dependency/unavailable', message: 'It was not done in time.' });
      expect(script.callsAfter('createScaling')).toEqual(undosOf.handshake);
    });
  });
});

describe('a step that fails and may succeed later', () => {
  it('is tried again, and shows its attempts and what went wrong', async () => {
    const script = new LifecycleScript().fail('createMemory', ...Array.from({ length: 3 }, () => failure('dependency/unavailable', 'AgentCore is away')));
    const fourth = script.hold('createMemory');
    await onboarding(script, async ({ env, operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await Promise.all([fourth.begun, env.sleep('10 seconds')]);
      const operation = await operations.get(operationIdOf('onboarding'));
      expect(operation?.steps[2]).toMatchObject({ state: 'running', attempt: 4, error: 'AgentCore is away' });
      fourth.release();
      expect((await result()).steps[2]).toMatchObject({ state: 'completed', attempt: 4 });
      expect(script.calls.filter((name) => name === 'createMemory')).toHaveLength(4);
    });
  });

  it('is given up when its time is over, and undone', async () => {
    const script = new LifecycleScript().fail('putConfig', ...Array.from({ length: 200 }, () => failure('dependency/unavailable', 'SSM is away')));
    await onboarding(script, async ({ operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      const { steps: all, ...operation } = await ended();
      expect(operation).toMatchObject({ state: 'undone', error: { code: 'dependency/unavailable', message: 'SSM is away' } });
      const { startedAt = '', finishedAt = '' } = all.find(({ name }) => name === 'administrator') ?? {};
      expect(startedAt + finishedAt).toBe('');
      expect(script.calls.filter((name) => name === 'putConfig').length).toBeGreaterThan(30);
      expect(script.callsAfter('putConfig')).toEqual(undosOf.putConfig);
    });
  });

  it('is given up and undone when it is denied for half a minute: a right that is on its way arrives sooner', async () => {
    const denied = () => failure('dependency/denied', 'SSM does not allow PutParameter.');
    const script = new LifecycleScript()
      .fail('createMemory', denied(), denied(), denied())
      .fail('putConfig', ...Array.from({ length: 20 }, denied));
    await onboarding(script, async ({ operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'dependency/denied', message: 'SSM does not allow PutParameter.' } });
      expect(script.calls.filter((name) => name === 'createMemory')).toHaveLength(4);
      // After 0.5, 1, 2 … s.
      expect(script.calls.filter((name) => name === 'putConfig')).toHaveLength(6);
      expect(script.callsAfter('putConfig')).toEqual(undosOf.putConfig);
    });
  });

  it('is tried at once when the operator says so', async () => {
    const script = new LifecycleScript().fail('createMemory', ...Array.from({ length: 8 }, () => failure('dependency/unavailable', 'away')));
    await onboarding(script, async ({ env, operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await env.sleep('20 seconds');
      await operations.retry(operationIdOf('onboarding'));
      expect(await result()).toMatchObject({ state: 'completed' });
      await expect(operations.retry(operationIdOf('onboarding'))).rejects.toMatchObject({ code: 'operation/nothing-to-retry' });
      await expect(operations.retry(operationIdOf('onboarding').replace('acme', 'globex'))).rejects.toMatchObject({ code: 'operation/not-found' });
    });
  });
});

describe('an undo that fails', () => {
  const outage = Array.from({ length: 3 }, () => new Error('AWS is away'));

  it('is tried again until it is done, and only then the next', async () => {
    const script = new LifecycleScript().fail('putConfig', failure('config/invalid', 'no')).fail('deleteMemory', ...outage);
    await onboarding(script, async ({ operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      expect(statesOf(await ended()).slice(0, 7)).toEqual(Array(7).fill('undone'));
      expect(script.callsAfter('putConfig')).toEqual(['deleteConfig', ...undosOf.createGateway.slice(0, 3), ...Array<string>(4).fill('deleteMemory'), ...undosOf.createInfrastructure]);
    });
  });

  it('is shown with its error while it is tried', async () => {
    const script = new LifecycleScript().fail('createMemory', failure('infrastructure/failed', 'no')).fail('deleteMemory', ...outage);
    const last = script.hold('deleteMemory');
    await onboarding(script, async ({ env, operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await Promise.all([last.begun, env.sleep('10 seconds')]);
      const operation = await operations.get(operationIdOf('onboarding'));
      expect(operation).toMatchObject({ state: 'undoing', error: { code: 'infrastructure/failed' } });
      expect(operation?.steps[2]).toMatchObject({ name: 'memory', state: 'undoing', error: 'AWS is away' });
      last.release();
      await ended();
    });
  });

  it('is given up for an hour after ten attempts, and taken up again at the operator\'s word', async () => {
    const script = new LifecycleScript()
      .fail('createMemory', failure('infrastructure/failed', 'no'))
      .fail('deleteMemory', ...Array.from({ length: 10 }, () => failure('infrastructure/failed', 'AccessDenied')));
    await onboarding(script, async ({ env, operations, ended }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await env.sleep('5 minutes');
      expect((await operations.get(operationIdOf('onboarding')))?.steps[2]).toMatchObject({ state: 'undo_failed', attempt: 10, error: 'AccessDenied' });
      expect(script.callsAfter('createMemory')).toEqual([...Array<string>(10).fill('deleteMemory'), 'reportStuck']);
      await operations.retry(operationIdOf('onboarding'));
      expect(await ended()).toMatchObject({ state: 'undone' });
      expect(script.callsAfter('createMemory')).toEqual([...Array<string>(10).fill('deleteMemory'), 'reportStuck', 'deleteMemory', ...undosOf.createInfrastructure]);
      expect(script.calledForHelp).toEqual([
        { tenantId: 'acme', operationId: operationIdOf('onboarding'), kind: 'onboarding', step: 'memory', state: 'undo_failed', attempt: 10, error: 'AccessDenied' },
      ]);
    });
  });
});

describe('asked again', () => {
  it('joins the operation that runs, and answers as it did once it has ended', async () => {
    const script = new LifecycleScript();
    const infrastructure = script.hold('createInfrastructure');
    await onboarding(script, async ({ operations, result }) => {
      const [first, second] = await Promise.all([
        operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest),
        operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest),
      ]);
      expect([first.operationId, second.operationId]).toEqual([operationIdOf('onboarding'), operationIdOf('onboarding')]);
      infrastructure.release();
      const operation = await result();
      await expect(operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest)).resolves.toEqual(operation);
      expect(script.calls).toEqual(steps);
    });
  });

  it('refuses another request under the same id, running or ended', async () => {
    const script = new LifecycleScript();
    const infrastructure = script.hold('createInfrastructure');
    const other = { ...onboardingRequest, displayName: 'Another' };
    await onboarding(script, async ({ operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await expect(operations.start('onboarding', operationIdOf('onboarding'), other)).rejects.toMatchObject({ code: 'idempotency/key-reused' });
      infrastructure.release();
      await result();
      await expect(operations.start('onboarding', operationIdOf('onboarding'), other)).rejects.toMatchObject({ code: 'idempotency/key-reused' });
    });
  });

  it('says again that the id is taken', async () => {
    const script = new LifecycleScript().fail('reserveTenant', failure('tenant/exists', 'The id "acme" is taken.'));
    await onboarding(script, async ({ operations, ended }) => {
      const refused = { code: 'tenant/exists', message: 'The id "acme" is taken.' };
      await expect(operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest)).rejects.toMatchObject(refused);
      await ended();
      await expect(operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest)).rejects.toMatchObject(refused);
    });
  });
});

describe('cancelling', () => {
  it('is refused once the tenant is being activated', async () => {
    const script = new LifecycleScript();
    const activation = script.hold('activateTenant');
    await onboarding(script, async ({ operations, result, handle }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await activation.begun;
      await expect(operations.cancel(operationIdOf('onboarding'))).rejects.toMatchObject({ code: 'operation/not-cancellable' });
      await handle.cancel();
      activation.release();
      expect(await result()).toMatchObject({ state: 'completed' });
      await expect(operations.cancel(operationIdOf('onboarding'))).rejects.toMatchObject({ code: 'operation/not-cancellable' });
    });
  });

  it('holds when it was accepted, although the step at work succeeded', async () => {
    const script = new LifecycleScript();
    const smokeTurn = script.hold('holdSmokeTurn');
    await onboarding(script, async ({ operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await smokeTurn.begun;
      await operations.cancel(operationIdOf('onboarding'));
      smokeTurn.release();
      expect(await result()).toMatchObject({ state: 'cancelled' });
      expect(script.callsAfter('holdSmokeTurn')).toEqual(undosOf.holdSmokeTurn);
    });
  });

  it('is the same twice, also after the end', async () => {
    const script = new LifecycleScript();
    const begun = script.hang('createMemory');
    const undo = script.hold('deleteMemory');
    await onboarding(script, async ({ operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await begun;
      await operations.cancel(operationIdOf('onboarding'));
      await undo.begun;
      await expect(operations.cancel(operationIdOf('onboarding'))).resolves.toMatchObject({ state: 'undoing' });
      undo.release();
      await result();
      await expect(operations.cancel(operationIdOf('onboarding'))).resolves.toMatchObject({ state: 'cancelled' });
    });
  });

  it('knows no operation that never was', async () => {
    await onboarding(new LifecycleScript(), async ({ operations, result }) => {
      await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
      await result();
      const unknown = operationIdOf('onboarding').replace('acme', 'globex');
      await expect(operations.cancel(unknown)).rejects.toMatchObject({ code: 'operation/not-found' });
      await expect(operations.get(unknown)).resolves.toBeUndefined();
    });
  });
});

it('shows operators what runs, in words', async () => {
  await onboarding(new LifecycleScript(), async ({ operations, result, handle }) => {
    await operations.start('onboarding', operationIdOf('onboarding'), onboardingRequest);
    await result();
    const details = await handle.query<string>('__temporal_workflow_metadata');
    expect(JSON.stringify(details)).toContain('| 2 | Build the infrastructure | ✓ done');
    const { events } = await handle.fetchHistory();
    const summaries = events?.flatMap(({ userMetadata }) => (userMetadata?.summary?.data ? [Buffer.from(userMetadata.summary.data).toString()] : []));
    expect(summaries).toEqual(expect.arrayContaining(['"Onboard acme (standard)"', '"Create the CloudFormation stack"']));
  });
});
