import type { BackedUpTenant } from '../../src/contracts/backup';
import { backupIds } from '../../src/contracts/names';
import { type ActivityName, failure, LifecycleScript, operationIdOf, type OperationParts, tenantId, withOperation } from './lifecycle-script';

const request = { tenantId, sourceTenantId: 'globex', backupId: 'bak-1', until: '2026-01-31T12:00:00.000Z' };
const asBackedUp: BackedUpTenant = {
  displayName: 'Globex',
  tier: 'large',
  rate: { requestsPerMinute: 7, burst: 7 },
  operatorBudgets: { tenantMonth: { microUsd: 100_000_000 } },
  ownBudgets: { userDay: { tokens: 1_000 } },
  budgetsRevision: 2,
};
/** What an undo in place brings back: all of what the tenant had. */
const before = () => ({ tenantId, operationId: operationIdOf('restore'), sourceTenantId: tenantId, backupId: backupIds.ofOperation(operationIdOf('restore')) });

/** An activity, and what takes it back, in the order it does. */
type Course = readonly (readonly [ActivityName, ...ActivityName[]])[];

const asNewTenant: Course = [
  ['findBackup'],
  ['restoreMode'],
  ['reserveTenant', 'releaseTenant'],
  ['createInfrastructure', 'emptyBucket', 'deleteInfrastructure', 'scheduleKeyDeletion'],
  ['createMemory', 'deleteMemory'],
  ['createRuntime', 'deleteRuntime'],
  ['createIdentity', 'deleteIdentity'],
  ['createGateway', 'deleteGateway'],
  ['forgetSessions'],
  ['restoreUsers'],
  ['restoreData', 'deleteConfig', 'forgetRestore'],
  ['compareWithBackup'],
  ['createTenantSchedules', 'deleteTenantSchedules'],
  ['createScaling', 'deleteScaling'],
  ['handshake'],
  ['holdSmokeTurn', 'terminateSessions'],
  ['activateTenant'],
];

const inPlace: Course = [
  ['findBackup'],
  ['restoreMode'],
  ['claimTenant', 'releaseClaim'],
  ['rollUpUsage'],
  ['takeBackup'],
  ['verifyBackup'],
  ['forgetSessions'],
  ['restoreUsers', 'takeBackUsers', 'compareWithBackup'],
  ['restoreData', 'restoreData', 'forgetRestore'],
  ['compareWithBackup'],
  ['releaseClaim'],
];

const namesOf = (course: Course): ActivityName[] => course.map(([name]) => name);
const upTo = (course: Course, name: ActivityName): Course => course.slice(0, namesOf(course).indexOf(name) + 1);
const undone = (course: Course, name: ActivityName): ActivityName[] => upTo(course, name).toReversed().flatMap(([, ...undo]) => undo);
/** `activate` and `release` are past the point of no return. */
const cancellable = (course: Course): ActivityName[] => namesOf(course).slice(0, -1);

const begin = ({ operations }: OperationParts) => operations.start('restore', operationIdOf('restore'), request);
const scripted = (mode: 'new' | 'in-place') => Object.assign(new LifecycleScript(), { restoreMode: mode });
const scenario = (script: LifecycleScript, act: (parts: OperationParts) => Promise<void>) => withOperation(operationIdOf('restore'), script.workers(), act);

describe.each([
  ['into a new tenant', 'new', asNewTenant],
  ['in place', 'in-place', inPlace],
] as const)('%s', (_name, mode, course) => {
  it('brings the backup back, to the point that was asked for', async () => {
    const script = scripted(mode);
    await scenario(script, async (parts) => {
      await begin(parts);
      expect(await parts.result()).toMatchObject({ state: 'completed', percent: 100, comparison: [] });
      expect(script.calls).toEqual(namesOf(course));
      for (const name of ['restoreUsers', 'restoreData', 'compareWithBackup'] as const) expect(script.asked(name)).toEqual([{ ...request, operationId: operationIdOf('restore') }]);
    });
  });

  it.each(cancellable(course).filter((name) => name !== 'rollUpUsage'))('undoes what it did, newest first, when %s fails for good', async (name) => {
    const script = scripted(mode).fail(name, failure('backup/incomplete', 'table holds 5 records, 6 were expected'));
    await scenario(script, async (parts) => {
      await begin(parts).catch(() => undefined);
      expect(await parts.ended()).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete' } });
      expect(script.calls).toEqual([...namesOf(upTo(course, name)), ...undone(course, name)]);
    });
  });

  it.each(cancellable(course))('undoes what it did, newest first, when it is cancelled in %s', async (name) => {
    const script = scripted(mode);
    const begun = script.hang(name);
    await scenario(script, async (parts) => {
      const started = begin(parts).catch(() => undefined);
      await begun;
      await parts.operations.cancel(operationIdOf('restore'));
      await started;
      expect(await parts.result()).toMatchObject({ state: 'cancelled' });
      expect(script.calls).toEqual([...namesOf(upTo(course, name)), ...undone(course, name)]);
    });
  });
});

it.each(['restoreData', 'compareWithBackup'] as const)('in place, brings back all that the tenant had when %s fails, and not only up to the point', async (name) => {
  const script = scripted('in-place').fail(name, failure('backup/incomplete', 'no'));
  await scenario(script, async (parts) => {
    await begin(parts);
    expect(await parts.ended()).toMatchObject({ state: 'undone', backupId: before().backupId, error: { code: 'backup/incomplete' } });
    expect(script.asked('takeBackup')).toEqual([{ tenantId, backupId: before().backupId, reason: 'before-restore' }]);
    expect(script.asked('restoreData').at(-1)).toEqual(before());
    expect(script.asked('takeBackUsers')).toEqual([{ ...request, operationId: operationIdOf('restore'), before: before() }]);
    expect(script.asked('compareWithBackup').at(-1)).toEqual(before());
    expect(script.calls.at(-1)).toBe('releaseClaim');
  });
});

it('in place, goes on when the last use cannot be counted, and shows why', async () => {
  const script = scripted('in-place').fail('rollUpUsage', failure('backup/incomplete', 'A log is damaged.'));
  await scenario(script, async (parts) => {
    await begin(parts);
    const { state, steps } = await parts.result();
    expect(state).toBe('completed');
    expect(steps.find(({ name }) => name === 'count_usage')).toMatchObject({ state: 'failed', error: 'A log is damaged.' });
    expect(script.calls).toEqual(namesOf(inPlace));
  });
});

it('answers at once that a tenant is active, and touches nothing', async () => {
  const script = scripted('new').fail('restoreMode', failure('restore/tenant-active', 'suspend it'));
  await scenario(script, async (parts) => {
    await expect(begin(parts)).rejects.toMatchObject({ code: 'restore/tenant-active' });
    expect(await parts.ended()).toMatchObject({ state: 'undone' });
    expect(script.calls).toEqual(['findBackup', 'restoreMode']);
  });
});

it.each<[string, BackedUpTenant | undefined, BackedUpTenant]>([
  ['what the backup says', asBackedUp, asBackedUp],
  ['its id where a backup of the first format says nothing', undefined, { displayName: tenantId, tier: 'standard' }],
])('a new tenant is built with %s', async (_what, backedUp, expected) => {
  const script = Object.assign(scripted('new'), { backedUpTenant: backedUp });
  await scenario(script, async (parts) => {
    await begin(parts);
    expect(await parts.ended()).toMatchObject({ state: 'completed' });
    expect(script.asked('reserveTenant')).toEqual([{ tenantId, operationId: operationIdOf('restore'), ...expected }]);
  });
});
