import { backupIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { OffboardingRequest } from '../../src/contracts/operation';
import { type ActivityName, failure, LifecycleScript, lostKey, offboardingRequest, operationIdOf, type OperationParts, pausedSchedule, withOperation } from './lifecycle-script';

const preparation = ['statusBeforeLeaving', 'blockTenant', 'schedulesBeforeLeaving', 'deleteTenantSchedules', 'drainSessions', 'rollUpUsage', 'takeBackup', 'verifyBackup'] as const;
/** What fails here is shown, and the tenant leaves all the same. */
const forgoable: readonly ActivityName[] = ['rollUpUsage'];
const isBehind = (name: (typeof preparation)[number], other: (typeof preparation)[number]) => preparation.indexOf(name) > preparation.indexOf(other);
/** What makes the tenant what it was. Before it is known which schedules were paused, none has been deleted. */
const undosOf = (name: (typeof preparation)[number]): ActivityName[] => [
  ...(isBehind(name, 'deleteTenantSchedules') ? (['closeEndedSessions'] as const) : []),
  ...(isBehind(name, 'schedulesBeforeLeaving') ? (['createTenantSchedules'] as const) : []),
  'unblockTenant',
];
const deletion = [
  'keepInventory',
  'endWork',
  'deleteScaling',
  'deleteGateway',
  'deleteIdentity',
  'deleteRuntime',
  'deleteMemory',
  'deleteConfig',
  'emptyBucket',
  'deleteInfrastructure',
  'scheduleKeyDeletion',
  'checkNothingRemains',
  'buryTenant',
  'issueCertificate',
] as const;
const week: OffboardingRequest = { ...offboardingRequest, graceSeconds: 7 * 86_400 };

const offboarding = (script: LifecycleScript, scenario: (parts: OperationParts) => Promise<void>) =>
  withOperation(operationIdOf('offboarding'), script.workers(), scenario);

const stepOf = (operation: Operation | undefined, name: string) => operation?.steps.find((step) => step.name === name);

it('answers once the tenant is blocked, and ends with a tombstone', async () => {
  const script = new LifecycleScript();
  const draining = script.hold('drainSessions');
  await offboarding(script, async ({ env, operations, result }) => {
    const accepted = await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
    expect(stepOf(accepted, 'block')).toMatchObject({ state: 'completed' });
    await env.sleep('2 seconds');
    draining.release();
    const operation = await result();
    expect(operation).toMatchObject({ state: 'completed', percent: 100, backupId: backupIds.ofOperation(operationIdOf('offboarding')) });
    expect(stepOf(operation, 'grace_period')).toMatchObject({ state: 'skipped' });
    expect(script.calls).toEqual([...preparation, ...deletion]);
  });
});

it('waits out a grace period of a week between the verified backup and deletion', async () => {
  const script = new LifecycleScript();
  await offboarding(script, async ({ env, operations, result }) => {
    await operations.start('offboarding', operationIdOf('offboarding'), week);
    await env.sleep('6 days');
    const waiting = await operations.get(operationIdOf('offboarding'));
    expect(stepOf(waiting, 'grace_period')).toMatchObject({ state: 'running' });
    expect(Date.parse(waiting?.cancellableUntil ?? '') - Date.parse(stepOf(waiting, 'grace_period')?.startedAt ?? '')).toBe(week.graceSeconds * 1_000);
    expect(waiting?.sessions).toEqual({ closed: 3, cutOff: 1 });
    expect(script.calls).toEqual([...preparation, 'announceDeletion']);
    await result();
    expect(script.callsAfter('announceDeletion')).toEqual(deletion);
  });
});

describe('running turns', () => {
  it.each([
    ['may take as long as was asked', { policy: 'wait', seconds: 60 }, 61_000],
    ['are cancelled as soon as every process has heard of it', { policy: 'stop', seconds: 0 }, 1_000],
  ] as const)('%s', async (_what, drain, cancelledAfterMs) => {
    const script = new LifecycleScript();
    const draining = script.hear('drainSessions');
    await offboarding(script, async ({ operations, result }) => {
      const { startedAt } = await operations.start('offboarding', operationIdOf('offboarding'), { ...offboardingRequest, drain });
      const { cancelTurnsAt } = (await draining) as { cancelTurnsAt: string };
      const tookMs = Date.parse(cancelTurnsAt) - Date.parse(startedAt);
      expect(tookMs).toBeGreaterThanOrEqual(cancelledAfterMs);
      expect(tookMs).toBeLessThan(cancelledAfterMs + 10_000);
      await result();
    });
  });

  it('keep their time when draining is tried again', async () => {
    const script = new LifecycleScript().fail('drainSessions', new Error('away'));
    const first = script.hear('drainSessions');
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), { ...offboardingRequest, drain: { policy: 'wait', seconds: 600 } });
      const [before, after] = [await first, await script.hear('drainSessions')];
      expect(after).toEqual(before);
      await result();
    });
  });
});

describe('what was used last', () => {
  const unavailable = failure('dependency/unavailable', 'DynamoDB cannot be reached.');

  it('is counted when no session runs any more, in as many attempts as it takes, and before the backup', async () => {
    const script = new LifecycleScript().fail('rollUpUsage', unavailable, unavailable);
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      expect(stepOf(await result(), 'count_usage')).toMatchObject({ state: 'completed', attempt: 3 });
      expect(script.calls.slice(script.calls.indexOf('drainSessions'), script.calls.indexOf('verifyBackup'))).toEqual(['drainSessions', 'rollUpUsage', 'rollUpUsage', 'rollUpUsage', 'takeBackup']);
    });
  });

  it.each<[string, number, readonly Error[]]>([
    ['for minutes', 5 * 60_000, Array.from({ length: 200 }, () => unavailable)],
    ['for good, at once', 1_000, [failure('backup/incomplete', 'DynamoDB cannot be reached.')]],
  ])('holds the offboarding up no longer when it cannot be counted %s: it shows why', async (_how, atMostMs, failures) => {
    const script = new LifecycleScript().fail('rollUpUsage', ...failures);
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      const operation = await result();
      expect(operation).toMatchObject({ state: 'completed', percent: 100 });
      expect(operation.error).toBeUndefined();
      const step = stepOf(operation, 'count_usage');
      expect(step).toMatchObject({ state: 'failed', error: 'DynamoDB cannot be reached.' });
      expect(step?.durationMs).toBeLessThanOrEqual(atMostMs);
      expect(script.callsAfter('rollUpUsage')).toEqual(['takeBackup', 'verifyBackup', ...deletion]);
    });
  });
});

describe('the restore of the backup', () => {
  const required: OffboardingRequest = { ...week, rehearsal: 'required' };

  it('is rehearsed before the grace period, and the certificate gets its figures', async () => {
    const script = new LifecycleScript();
    const certified = script.hear('issueCertificate');
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), required);
      expect(stepOf(await result(), 'rehearse_restore')).toMatchObject({ state: 'completed' });
      const [compared, announced, noted] = (['compareWithBackup', 'announceDeletion', 'keepInventory'] as const).map((name) => script.calls.indexOf(name));
      expect(compared).toBeGreaterThan(script.calls.indexOf('verifyBackup'));
      expect(announced).toBeGreaterThan(compared ?? Infinity);
      expect(noted).toBeGreaterThan(announced ?? Infinity);
      expect(await certified).toMatchObject({ rehearsal: { outcome: 'passed', operationId: expect.stringContaining('rehearsal_scratch-') as string } });
    });
  });

  it('that does not bring everything back deletes nothing, and makes the tenant what it was', async () => {
    const script = new LifecycleScript().fail('compareWithBackup', failure('backup/incomplete', 'table: 3 records, 2 found'));
    await offboarding(script, async ({ operations, ended }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), required);
      expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete', message: 'table: 3 records, 2 found' } });
      expect(script.calls).not.toContain('keepInventory');
      expect(script.calls.at(-1)).toBe('unblockTenant');
    });
  });

  it('that is called off deletes nothing either', async () => {
    const script = new LifecycleScript();
    const comparing = script.hang('compareWithBackup');
    await offboarding(script, async ({ env, operations, ended }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), required);
      await Promise.all([comparing, env.sleep('2 seconds')]);
      const [{ operationId }] = script.asked('compareWithBackup') as [{ operationId: string }];
      await operations.cancel(operationId);
      expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'operation/called-off', message: expect.stringContaining(operationId) as string } });
      expect(script.calls).not.toContain('keepInventory');
      expect(script.calls.at(-1)).toBe('unblockTenant');
    });
  });

  it('is left out only when that was asked for, and the certificate says so', async () => {
    const script = new LifecycleScript();
    const certified = script.hear('issueCertificate');
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), { ...week, rehearsal: 'skipped' });
      expect(stepOf(await result(), 'rehearse_restore')).toMatchObject({ state: 'skipped' });
      expect(script.calls).not.toContain('compareWithBackup');
      expect(await certified).toMatchObject({ rehearsal: { outcome: 'skipped', reason: 'The operator asked to skip it.' }, request: { rehearsal: 'skipped' } });
    });
  });
});

describe('of a tenant whose key is lost', () => {
  const withoutBackup = { reason: 'The key was deleted by mistake.' };
  const begun = ['checkKeyIsLost', 'statusBeforeLeaving', 'blockTenant', 'schedulesBeforeLeaving', 'deleteTenantSchedules'] as const;

  it('takes no backup, reads nothing, and the certificate gets the reason and how the key was found', async () => {
    const script = new LifecycleScript();
    const certified = script.hear('issueCertificate');
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), { ...week, withoutBackup });
      const operation = await result();
      expect(operation).toMatchObject({ state: 'completed' });
      expect(operation.backupId).toBeUndefined();
      for (const name of ['drain', 'count_usage', 'backup', 'verify_backup', 'rehearse_restore']) expect(stepOf(operation, name)).toMatchObject({ state: 'skipped' });
      expect(script.calls).toEqual([...begun, 'announceDeletion', 'checkKeyIsLost', ...deletion]);
      expect(await certified).toMatchObject({ request: { withoutBackup }, lostKey, rehearsal: { outcome: 'skipped' } });
    });
  });

  it('is refused at once while the key works, and touches nothing', async () => {
    const script = new LifecycleScript().fail('checkKeyIsLost', failure('backup/possible', 'the key works'));
    await offboarding(script, async ({ operations, ended }) => {
      await expect(operations.start('offboarding', operationIdOf('offboarding'), { ...week, withoutBackup })).rejects.toMatchObject({ code: 'backup/possible' });
      expect(await ended()).toMatchObject({ state: 'undone' });
      expect(script.calls).toEqual(['checkKeyIsLost']);
    });
  });

  it('makes the tenant what it was when the key works again before anything is deleted', async () => {
    const script = new LifecycleScript();
    const announced = script.hear('announceDeletion');
    await offboarding(script, async ({ operations, ended }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), { ...week, withoutBackup });
      await announced;
      script.fail('checkKeyIsLost', new Error('away'), failure('backup/possible', 'the key works'));
      expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'backup/possible' } });
      // The week is waited out once, however often the key is looked at.
      expect(script.callsAfter('announceDeletion')).toEqual(['checkKeyIsLost', 'checkKeyIsLost', 'createTenantSchedules', 'unblockTenant']);
    });
  });
});

describe('taken back', () => {
  it.each(['tenant/not-found', 'tenant/busy'] as const)('answers %s at once, and touches nothing', async (code) => {
    const script = new LifecycleScript().fail('statusBeforeLeaving', failure(code, 'no'));
    await offboarding(script, async ({ operations, ended }) => {
      await expect(operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest)).rejects.toMatchObject({ code });
      expect(await ended()).toMatchObject({ state: 'undone', error: { code } });
      expect(script.calls).toEqual(['statusBeforeLeaving']);
    });
  });

  it.each(preparation.slice(1).filter((name) => !forgoable.includes(name)))('makes the tenant what it was when %s fails', async (name) => {
    const script = new LifecycleScript().fail(name, failure('backup/incomplete', 'a part is missing'));
    await offboarding(script, async ({ operations, ended }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest).catch(() => undefined);
      expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete', message: 'a part is missing' } });
      expect(script.calls).toEqual([...preparation.slice(0, preparation.indexOf(name) + 1), ...undosOf(name)]);
    });
  });

  it.each(preparation.slice(2))('makes the tenant what it was when cancelled in %s', async (name) => {
    const script = new LifecycleScript();
    const begun = script.hang(name);
    await offboarding(script, async ({ env, operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      await Promise.all([begun, env.sleep('2 seconds')]);
      await operations.cancel(operationIdOf('offboarding'));
      expect(await result()).toMatchObject({ state: 'cancelled' });
      expect(script.calls).toEqual([...preparation.slice(0, preparation.indexOf(name) + 1), ...undosOf(name)]);
    });
  });

  it('keeps the backup when cancelled in the grace period', async () => {
    const script = new LifecycleScript();
    await offboarding(script, async ({ env, operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), week);
      await env.sleep('6 days');
      await operations.cancel(operationIdOf('offboarding'));
      expect(await result()).toMatchObject({ state: 'cancelled', backupId: backupIds.ofOperation(operationIdOf('offboarding')) });
      expect(script.calls).toEqual([...preparation, 'announceDeletion', ...undosOf('verifyBackup')]);
    });
  });

  it('holds when it was accepted, although the step at work succeeded', async () => {
    const script = new LifecycleScript();
    const verifying = script.hold('verifyBackup');
    await offboarding(script, async ({ env, operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      await Promise.all([verifying.begun, env.sleep('2 seconds')]);
      await operations.cancel(operationIdOf('offboarding'));
      verifying.release();
      expect(await result()).toMatchObject({ state: 'cancelled' });
      expect(script.calls).toEqual([...preparation, ...undosOf('verifyBackup')]);
    });
  });

  it('is tried until the tenant is what it was', async () => {
    const script = new LifecycleScript()
      .fail('verifyBackup', failure('backup/incomplete', 'no'))
      .fail('unblockTenant', new Error('away'), new Error('away'));
    await offboarding(script, async ({ operations, ended }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      expect(stepOf(await ended(), 'block')).toMatchObject({ state: 'undone' });
      expect(script.callsAfter('verifyBackup')).toEqual(['closeEndedSessions', 'createTenantSchedules', 'unblockTenant', 'unblockTenant', 'unblockTenant']);
    });
  });
});

it('gives back the schedules as they were, although the first attempt to delete them had begun', async () => {
  const script = new LifecycleScript().fail('deleteTenantSchedules', new Error('away')).fail('takeBackup', failure('backup/incomplete', 'no'));
  await offboarding(script, async ({ operations, ended }) => {
    await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
    await ended();
    expect(script.calls.filter((name) => name === 'schedulesBeforeLeaving')).toHaveLength(1);
    expect(script.schedulesCreatedPaused).toEqual([[pausedSchedule]]);
  });
});

describe('once deletion has begun', () => {
  it('refuses to be cancelled, by the API and by the Temporal UI', async () => {
    const script = new LifecycleScript();
    const deleting = script.hold('keepInventory');
    await offboarding(script, async ({ env, operations, handle, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      await Promise.all([deleting.begun, env.sleep('2 seconds')]);
      await expect(operations.cancel(operationIdOf('offboarding'))).rejects.toMatchObject({ code: 'operation/not-cancellable' });
      await handle.cancel();
      deleting.release();
      expect(await result()).toMatchObject({ state: 'completed' });
      expect(script.calls).toEqual([...preparation, ...deletion]);
    });
  });

  it.each(deletion)('goes on when %s fails, even for good, and never back', async (name) => {
    const script = new LifecycleScript().fail(name, new Error('away'), failure('infrastructure/failed', 'Still there: s3:tenant-acme-data-bucket'));
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      const operation = await result();
      expect(operation.state).toBe('completed');
      const expected = deletion.flatMap((step) => (step === name ? [step, step, step] : [step]));
      expect(script.calls).toEqual([...preparation, ...expected]);
    });
  });

  it('shows what is in the way, and tries once an hour', async () => {
    const denied = failure('infrastructure/failed', 'AccessDenied');
    const script = new LifecycleScript().fail('deleteInfrastructure', ...Array.from({ length: 11 }, () => denied));
    await offboarding(script, async ({ env, operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      await env.sleep('30 minutes');
      const stuck = await operations.get(operationIdOf('offboarding'));
      expect(stuck).toMatchObject({ state: 'running' });
      expect(stepOf(stuck, 'delete_infrastructure')).toMatchObject({ state: 'stuck', error: 'AccessDenied' });
      expect(script.callsAfter('emptyBucket').filter((name) => name === 'deleteInfrastructure')).toHaveLength(10);
      expect(await result()).toMatchObject({ state: 'completed' });
      expect(script.callsAfter('emptyBucket').filter((name) => name === 'deleteInfrastructure')).toHaveLength(12);
      // Once for each time it came to rest.
      expect(script.calledForHelp.map(({ step, state, attempt }) => ({ step, state, attempt }))).toEqual([
        { step: 'delete_infrastructure', state: 'stuck', attempt: 10 },
        { step: 'delete_infrastructure', state: 'stuck', attempt: 11 },
      ]);
    });
  });

  it('goes on when nobody can be called', async () => {
    const denied = failure('infrastructure/failed', 'AccessDenied');
    const silent = failure('auth/forbidden', 'CloudWatch is closed');
    const script = new LifecycleScript().fail('deleteInfrastructure', ...Array.from({ length: 10 }, () => denied)).fail('reportStuck', silent);
    await offboarding(script, async ({ operations, result }) => {
      await operations.start('offboarding', operationIdOf('offboarding'), offboardingRequest);
      expect(await result()).toMatchObject({ state: 'completed' });
      expect([script.calls.filter((name) => name === 'reportStuck').length, script.calledForHelp]).toEqual([1, []]);
    });
  });
});
