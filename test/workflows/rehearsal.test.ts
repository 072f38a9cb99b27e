import { WorkflowFailedError } from '@temporalio/client';
import { scratchTenantId, taskQueues, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { withWorkers } from '../support/workflow';
import { type ActivityName, failure, LifecycleScript, operationIdOf, type OperationParts, uniqueOfTest, withOperation } from './lifecycle-script';

const scratch = () => scratchTenantId(uniqueOfTest());
const rehearsalId = () => operationIdOf('rehearsal', scratch());
const request = () => ({ tenantId: scratch(), sourceTenantId: 'acme', backupId: 'bak-1' });

const building = ['reserveTenant', 'createInfrastructure', 'createMemory', 'restoreUsers', 'restoreData', 'compareWithBackup'] as const;
const clearing = ['deleteMemory', 'deleteConfig', 'emptyBucket', 'deleteInfrastructure', 'scheduleKeyDeletion', 'checkNothingRemains', 'releaseTenant'] as const;

/** What undoes each step, newest step first. */
const undoing: Record<(typeof building)[number], readonly ActivityName[]> = {
  reserveTenant: ['checkNothingRemains', 'releaseTenant'],
  createInfrastructure: ['emptyBucket', 'deleteInfrastructure', 'scheduleKeyDeletion'],
  createMemory: ['deleteMemory'],
  restoreUsers: [],
  restoreData: ['deleteConfig', 'forgetRestore'],
  compareWithBackup: [],
};
const upTo = (name: (typeof building)[number]) => building.slice(0, building.indexOf(name) + 1);
const undone = (name: (typeof building)[number]) => upTo(name).toReversed().flatMap((step) => undoing[step]);

const rehearsal = (script: LifecycleScript, scenario: (parts: OperationParts) => Promise<void>) =>
  withOperation(rehearsalId(), script.workers(), scenario);

it('compares, and leaves nothing behind', async () => {
  const script = new LifecycleScript();
  await rehearsal(script, async ({ operations, result }) => {
    await operations.start('rehearsal', rehearsalId(), request());
    expect(await result()).toMatchObject({ state: 'completed', backupId: 'bak-1', comparison: [] });
    expect(script.calls).toEqual([...building, ...clearing]);
  });
});

it.each(building)('clears away when %s fails, and says why', async (name) => {
  const script = new LifecycleScript().fail(name, failure('backup/incomplete', 'table holds 5 records, 6 were expected'));
  await rehearsal(script, async ({ operations, ended }) => {
    await operations.start('rehearsal', rehearsalId(), request()).catch(() => undefined);
    expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete' } });
    expect(script.calls).toEqual([...upTo(name), ...undone(name)]);
  });
});

it.each(building.slice(1))('clears away when cancelled in %s', async (name) => {
  const script = new LifecycleScript();
  const begun = script.hang(name);
  await rehearsal(script, async ({ operations, result }) => {
    await operations.start('rehearsal', rehearsalId(), request());
    await begun;
    await operations.cancel(rehearsalId());
    expect(await result()).toMatchObject({ state: 'cancelled' });
    expect(script.calls).toEqual([...upTo(name), ...undone(name)]);
  });
});

describe('as a part of another workflow', () => {
  const workers = (script: LifecycleScript) => ({ ...script.workers(), workflowsPath: require.resolve('./rehearsing-workflow') });
  const start = { taskQueue: taskQueues.lifecycle, workflowId: 'acme/rehearsing' };

  it('answers with what was compared', async () => {
    await withWorkers(workers(new LifecycleScript()), async ({ client }) => {
      const operation = (await client.workflow.execute('rehearsing', start)) as Operation;
      expect(operation).toMatchObject({ kind: 'rehearsal', state: 'completed', comparison: [] });
      expect(operation.tenantId).toMatch(/^scratch-/);
      return [start.workflowId, workflowIds.operation(operation.operationId)];
    });
  });

  it('fails with the code of what failed', async () => {
    const script = new LifecycleScript().fail('compareWithBackup', failure('backup/incomplete', 'differs'));
    await withWorkers(workers(script), async ({ client }) => {
      const failed: unknown = await client.workflow.execute('rehearsing', start).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(WorkflowFailedError);
      expect((failed as WorkflowFailedError).cause).toMatchObject({ type: 'backup/incomplete', nonRetryable: true, message: 'differs' });
      return [start.workflowId];
    });
  });

  it('clears away when its caller is cancelled', async () => {
    const script = new LifecycleScript();
    const begun = script.hang('restoreData');
    await withWorkers(workers(script), async ({ client }) => {
      const handle = await client.workflow.start('rehearsing', start);
      await begun;
      await handle.cancel();
      await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
      expect(script.calls).toEqual([...upTo('restoreData'), ...undone('restoreData')]);
      return [start.workflowId];
    });
  });
});
