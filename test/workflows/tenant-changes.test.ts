import { operationIds, type OperationKind, workflowIds } from '../../src/contracts/names';
import type { Operation, OperationRequests } from '../../src/contracts/operation';
import { type ActivityName, failure, LifecycleScript, type OperationParts, tenantId, withOperation } from './lifecycle-script';

jest.setTimeout(60_000);

interface Change<Kind extends OperationKind> {
  readonly kind: Kind;
  readonly request: OperationRequests[Kind];
  /** What it runs, between claim and release. */
  readonly forward: readonly ActivityName[];
  /** How each of them is taken back; what is left out needs no undo. */
  readonly undo: Partial<Record<ActivityName, ActivityName>>;
}

const change = <Kind extends OperationKind>(definition: Change<Kind>): Change<OperationKind> => definition;

const changes = [
  change({
    kind: 'suspension',
    request: { tenantId, turns: 'finish' },
    forward: ['changeStatus', 'pauseTenantSchedules', 'restSessions'],
    undo: { changeStatus: 'takeBackStatus', pauseTenantSchedules: 'resumeTenantSchedules', restSessions: 'wakeSessions' },
  }),
  change({
    kind: 'resumption',
    request: { tenantId },
    forward: ['changeStatus', 'wakeSessions', 'resumeTenantSchedules'],
    undo: { changeStatus: 'takeBackStatus', wakeSessions: 'restSessions', resumeTenantSchedules: 'pauseTenantSchedules' },
  }),
];

const operationId = (kind: OperationKind) => operationIds.of(kind, tenantId, '0123456789abcdefghjkmnpqrs');

const begin = ({ kind, request }: Change<OperationKind>, { operations }: OperationParts) => operations.start(kind, operationId(kind), request);

const scenario = ({ kind }: Change<OperationKind>, script: LifecycleScript, act: (parts: OperationParts) => Promise<void>) =>
  withOperation(workflowIds.operation(operationId(kind)), script.workers(), act);

/** What undoes the first steps, newest first; an undo that several steps share runs once. */
const undosOf = ({ forward, undo }: Change<OperationKind>, upTo: ActivityName): ActivityName[] => [
  ...new Set(forward.slice(0, forward.indexOf(upTo) + 1).flatMap((name) => undo[name] ?? []).reverse()),
];

describe.each(changes.map((each) => [each.kind, each] as const))('%s', (_kind, each) => {
  it('claims the tenant, does its work, and lets go; five times the same request is one operation', async () => {
    const script = new LifecycleScript();
    await scenario(each, script, async (parts) => {
      const accepted = await Promise.all(Array.from({ length: 5 }, () => begin(each, parts)));
      for (const operation of accepted) expect(operation).toMatchObject({ operationId: operationId(each.kind), tenantId });
      expect(await parts.result()).toMatchObject({ state: 'completed', percent: 100 });
      expect(script.calls).toEqual(['claimTenant', ...each.forward, 'releaseClaim']);
    });
  });

  it.each(['tenant/busy', 'tenant/not-found', 'tenant/suspended'] as const)('answers %s at once, touches nothing, and holds no claim', async (code) => {
    const script = new LifecycleScript().fail('claimTenant', failure(code, 'no'));
    await scenario(each, script, async (parts) => {
      await expect(begin(each, parts)).rejects.toMatchObject({ code });
      expect(await parts.ended()).toMatchObject({ state: 'undone', error: { code } });
      expect(script.calls).toEqual(['claimTenant', 'releaseClaim']);
    });
  });

  it.each(each.forward)('undoes all it did when %s fails for good, and lets go', async (name) => {
    const script = new LifecycleScript().fail(name, failure('infrastructure/failed', 'no'));
    await scenario(each, script, async (parts) => {
      await begin(each, parts);
      expect(await parts.ended()).toMatchObject({ state: 'undone', error: { code: 'infrastructure/failed' } });
      const done = each.forward.slice(0, each.forward.indexOf(name) + 1);
      expect(script.calls).toEqual(['claimTenant', ...done, ...undosOf(each, name), 'releaseClaim']);
    });
  });

  it.each(each.forward)('undoes all it did when it is cancelled in %s, and lets go', async (name) => {
    const script = new LifecycleScript();
    const begun = script.hang(name);
    await scenario(each, script, async (parts) => {
      const started = begin(each, parts);
      await Promise.all([begun, started]);
      await parts.operations.cancel(operationId(each.kind));
      expect(await parts.result()).toMatchObject({ state: 'cancelled' });
      expect(script.callsAfter(name)).toEqual([...undosOf(each, name), 'releaseClaim']);
    });
  });

  it('lets go, however often that fails', async () => {
    const script = new LifecycleScript().fail('releaseClaim', new Error('away'), failure('dependency/unavailable', 'away'));
    await scenario(each, script, async (parts) => {
      await begin(each, parts);
      const ended: Operation = await parts.result();
      expect(ended).toMatchObject({ state: 'completed' });
      expect(script.callsAfter(each.forward.at(-1) ?? 'claimTenant')).toEqual(['releaseClaim', 'releaseClaim', 'releaseClaim']);
    });
  });
});
