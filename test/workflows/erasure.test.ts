import { failure, LifecycleScript, operationIdOf, type OperationParts, tenantId, withOperation } from './lifecycle-script';

const subject = { sessionId: 'ses-1' };
const request = { tenantId, subject, requestedBy: 'ann' };
const places = ['table', 'bucket', 'memory', 'live', 'temporal'];
const sweep = ['endErasedSessions', 'hideErased', ...places.map(() => 'eraseAt')];

const begin = ({ operations }: OperationParts) => operations.start('erasure', operationIdOf('erasure'), request);
const scenario = (script: LifecycleScript, act: (parts: OperationParts) => Promise<void>) => withOperation(operationIdOf('erasure'), script.workers(), act);
const placesOf = (script: LifecycleScript) => script.asked('eraseAt').map((input) => (input as { place: string }).place);

it('notes what is to go before anything does, ends the sessions before what they write, and signs at the end', async () => {
  const script = new LifecycleScript();
  await scenario(script, async (parts) => {
    await begin(parts);
    expect(await parts.result()).toMatchObject({ state: 'completed', erasure: { subject, requestedBy: 'ann' } });
    expect(script.calls).toEqual(['claimTenant', 'mustBeErasable', 'listErasure', ...sweep, 'signErasure', 'releaseClaim']);
    expect(placesOf(script)).toEqual(places);
  });
});

it('erases again what was written meanwhile, and signs only then', async () => {
  const left = failure('erasure/incomplete', 'Still there: 1 in table');
  const script = new LifecycleScript().fail('signErasure', left, left);
  await scenario(script, async (parts) => {
    await begin(parts);
    expect(await parts.result()).toMatchObject({ state: 'completed' });
    expect(script.callsAfter('listErasure')).toEqual([...sweep, 'signErasure', ...sweep, 'signErasure', ...sweep, 'signErasure', 'releaseClaim']);
  });
});

it('refuses what is not there, and lets the tenant go', async () => {
  const script = new LifecycleScript().fail('mustBeErasable', failure('session/not-found', 'There is no such session.'));
  await scenario(script, async (parts) => {
    await expect(begin(parts)).rejects.toMatchObject({ code: 'session/not-found' });
    await parts.ended();
    expect(script.calls).toEqual(['claimTenant', 'mustBeErasable', 'releaseClaim']);
  });
});

it('is tried until it succeeds, takes nothing back, and is not cancelled', async () => {
  const script = new LifecycleScript().fail('eraseAt', ...Array.from({ length: 10 }, () => failure('infrastructure/failed', 'AccessDenied')));
  await scenario(script, async (parts) => {
    await begin(parts);
    await parts.env.sleep('30 minutes');
    expect(await parts.operations.get(operationIdOf('erasure'))).toMatchObject({ state: 'running', stuck: true });
    await expect(parts.operations.cancel(operationIdOf('erasure'))).rejects.toMatchObject({ code: 'operation/not-cancellable' });
    await parts.operations.retry(operationIdOf('erasure'));
    expect(await parts.result()).toMatchObject({ state: 'completed' });
    expect(placesOf(script).slice(-5)).toEqual(places);
  });
});
