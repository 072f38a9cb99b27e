import { failure, LifecycleScript, operationIdOf, type OperationParts, tenantId, withOperation } from './lifecycle-script';

const request = { tenantId, backupId: 'bak-1' };
const steps = ['findBackup', 'verifyBackup'] as const;

const scenario = (script: LifecycleScript, act: (parts: OperationParts) => Promise<void>) => withOperation(operationIdOf('backupVerification'), script.workers(), act);

it('reads the backup back, and claims no tenant: it may have left', async () => {
  const script = new LifecycleScript();
  await scenario(script, async ({ operations, result }) => {
    await operations.start('backupVerification', operationIdOf('backupVerification'), request);
    expect(await result()).toMatchObject({ state: 'completed', backupId: 'bak-1' });
    expect(script.calls).toEqual(steps);
    expect(script.asked('verifyBackup')).toEqual([{ ...request, operationId: operationIdOf('backupVerification'), againstTenant: false }]);
  });
});

it.each(steps)('ends with the reason when %s fails, and changes nothing', async (name) => {
  const script = new LifecycleScript().fail(name, failure('backup/incomplete', 'table-000001.jsonl.gz is missing'));
  await scenario(script, async ({ operations, ended }) => {
    await operations.start('backupVerification', operationIdOf('backupVerification'), request).catch(() => undefined);
    expect(await ended()).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete' } });
    expect(script.calls).toEqual(steps.slice(0, steps.indexOf(name) + 1));
  });
});

it.each(steps)('can be cancelled in %s', async (name) => {
  const script = new LifecycleScript();
  const begun = script.hang(name);
  await scenario(script, async ({ operations, result }) => {
    const started = operations.start('backupVerification', operationIdOf('backupVerification'), request).catch(() => undefined);
    await begun;
    await operations.cancel(operationIdOf('backupVerification'));
    await started;
    expect(await result()).toMatchObject({ state: 'cancelled' });
    expect(script.calls).toEqual(steps.slice(0, steps.indexOf(name) + 1));
  });
});
