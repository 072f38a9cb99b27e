import type { OperationKind } from '../../src/contracts/names';
import type { Operation, OperationRequests } from '../../src/contracts/operation';
import { AgentConfig } from '../../src/contracts/tenant';
import { type ActivityName, failure, LifecycleScript, operationIdOf, type OperationParts, tenantId, withOperation } from './lifecycle-script';

interface Change<Kind extends OperationKind> {
  readonly kind: Kind;
  readonly request: OperationRequests[Kind];
  /** What must hold, asked while the tenant is being claimed. */
  readonly check?: ActivityName;
  /** What it runs, between claim and release. */
  readonly forward: readonly ActivityName[];
  /** What it runs behind the point of no return. */
  readonly finish?: readonly ActivityName[];
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
  change({
    kind: 'tierChange',
    request: { tenantId, tier: 'premium' },
    check: 'checkTier',
    forward: ['setTier'],
    undo: { setTier: 'setTier' },
  }),
  change({
    kind: 'configurationChange',
    request: { tenantId, agent: AgentConfig.parse({}) },
    check: 'checkConfig',
    forward: ['putConfig'],
    undo: { putConfig: 'putConfigBack' },
  }),
  change({
    kind: 'keyRotation',
    request: { tenantId },
    forward: ['beforeRotation', 'rotateKey', 'renewDataKeys', 'checkKey'],
    undo: {},
  }),
  change({
    kind: 'clientRotation',
    request: { tenantId, overlapSeconds: 86_400 },
    check: 'clientsBefore',
    forward: ['setClients', 'acceptClients'],
    finish: ['retireClient', 'acceptClients', 'setClients'],
    undo: { setClients: 'setClients', acceptClients: 'acceptClients' },
  }),
  change({
    kind: 'backup',
    request: { tenantId, reason: 'on-demand' },
    forward: ['takeBackup', 'verifyBackup'],
    undo: { takeBackup: 'deleteBackup' },
  }),
];

const begin = ({ kind, request }: Change<OperationKind>, { operations }: OperationParts) => operations.start(kind, operationIdOf(kind), request);

const scenario = ({ kind }: Change<OperationKind>, script: LifecycleScript, act: (parts: OperationParts) => Promise<void>) =>
  withOperation(operationIdOf(kind), script.workers(), act);

/** What undoes the first steps, newest first; an undo that several steps share runs once. */
const undosOf = ({ forward, undo }: Change<OperationKind>, upTo: ActivityName): ActivityName[] => [
  ...new Set(forward.slice(0, forward.indexOf(upTo) + 1).flatMap((name) => undo[name] ?? []).reverse()),
];

const beginning = ({ check }: Change<OperationKind>): ActivityName[] => ['claimTenant', ...(check ? [check] : [])];

describe.each(changes.map((each) => [each.kind, each] as const))('%s', (_kind, each) => {
  it('claims the tenant, does its work, and lets go; five times the same request is one operation', async () => {
    const script = new LifecycleScript();
    await scenario(each, script, async (parts) => {
      const accepted = await Promise.all(Array.from({ length: 5 }, () => begin(each, parts)));
      for (const operation of accepted) expect(operation).toMatchObject({ operationId: operationIdOf(each.kind), tenantId });
      expect(await parts.result()).toMatchObject({ state: 'completed', percent: 100 });
      expect(script.calls).toEqual([...beginning(each), ...each.forward, ...(each.finish ?? []), 'releaseClaim']);
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
      expect(script.calls).toEqual([...beginning(each), ...done, ...undosOf(each, name), 'releaseClaim']);
    });
  });

  it.each(each.forward)('undoes all it did when it is cancelled in %s, and lets go', async (name) => {
    const script = new LifecycleScript();
    const begun = script.hang(name);
    await scenario(each, script, async (parts) => {
      const started = begin(each, parts);
      await Promise.all([begun, started]);
      await parts.operations.cancel(operationIdOf(each.kind));
      expect(await parts.result()).toMatchObject({ state: 'cancelled' });
      expect(script.calls.slice(script.calls.indexOf(name) + 1)).toEqual([...undosOf(each, name), 'releaseClaim']);
    });
  });

  it('lets go, however often that fails', async () => {
    const script = new LifecycleScript().fail('releaseClaim', new Error('away'), failure('dependency/unavailable', 'away'));
    await scenario(each, script, async (parts) => {
      await begin(each, parts);
      const ended: Operation = await parts.result();
      expect(ended).toMatchObject({ state: 'completed' });
      expect(script.callsAfter([...each.forward, ...(each.finish ?? [])].at(-1) ?? 'claimTenant')).toEqual(['releaseClaim', 'releaseClaim', 'releaseClaim']);
    });
  });
});

describe('a check that refuses', () => {
  it.each([
    ['tierChange', 'checkTier', { tenantId, tier: 'premium' }],
    ['configurationChange', 'checkConfig', { tenantId, agent: AgentConfig.parse({}) }],
  ] as const)('%s answers with its reason, changes nothing, and lets go', async (kind, check, request) => {
    const script = new LifecycleScript().fail(check, failure('tier/not-allowed', 'maxOutputTokens 9000 (at most 8192)'));
    const each = change({ kind, request, forward: [], undo: {} });
    await scenario(each, script, async (parts) => {
      await expect(begin(each, parts)).rejects.toMatchObject({ code: 'tier/not-allowed', message: 'maxOutputTokens 9000 (at most 8192)' });
      await parts.ended();
      expect(script.calls).toEqual(['claimTenant', check, 'releaseClaim']);
    });
  });
});

it('a change of a configuration that could not be read puts nothing back', async () => {
  const each = change({ kind: 'configurationChange', request: { tenantId, agent: AgentConfig.parse({}) }, forward: [], undo: {} });
  const script = new LifecycleScript().fail('putConfig', failure('infrastructure/failed', 'no'));
  script.configVersion = undefined;
  await scenario(each, script, async (parts) => {
    await begin(each, parts);
    expect(await parts.ended()).toMatchObject({ state: 'undone' });
    expect(script.calls).toEqual(['claimTenant', 'checkConfig', 'putConfig', 'releaseClaim']);
  });
});

describe('the rotation of a client', () => {
  const rotation = change({ kind: 'clientRotation', request: { tenantId, overlapSeconds: 86_400 }, forward: [], undo: {} });

  it('has both clients for as long as it was asked, and one afterwards', async () => {
    const script = new LifecycleScript();
    await scenario(rotation, script, async (parts) => {
      await begin(rotation, parts);
      await parts.env.sleep('23 hours');
      expect([script.clients, script.accepted]).toEqual([['second-to-first'], ['all']]);
      await parts.result();
      expect(script.clients).toEqual(['second-to-first', 'first']);
    });
  });

  it('goes back to the client before when it is cancelled meanwhile, and not any more afterwards', async () => {
    const script = new LifecycleScript();
    await scenario(rotation, script, async (parts) => {
      await begin(rotation, parts);
      await parts.env.sleep('1 hour');
      await parts.operations.cancel(operationIdOf('clientRotation'));
      expect(await parts.result()).toMatchObject({ state: 'cancelled' });
      expect(script.clients).toEqual(['second-to-first', 'second']);
      expect(script.accepted).toEqual(['all', 'retiring']);
      expect(script.calls).not.toContain('retireClient');
    });
  });

  it('goes forward from there, whatever fails', async () => {
    const denied = failure('infrastructure/failed', 'AccessDenied');
    const script = new LifecycleScript().fail('retireClient', ...Array.from({ length: 10 }, () => denied));
    await scenario(rotation, script, async (parts) => {
      await begin(rotation, parts);
      await parts.env.sleep(24.5 * 3_600_000);
      expect(await parts.operations.get(operationIdOf('clientRotation'))).toMatchObject({ state: 'running', stuck: true });
      await expect(parts.operations.cancel(operationIdOf('clientRotation'))).rejects.toMatchObject({ code: 'operation/not-cancellable' });
      await parts.handle.cancel();
      await parts.operations.retry(operationIdOf('clientRotation'));
      expect(await parts.result()).toMatchObject({ state: 'completed' });
      expect(script.clients.at(-1)).toBe('first');
    });
  });
});
