import { EventEmitter, once } from 'node:events';
import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { HandshakeActivities } from '../../src/activities/handshake';
import { activityInterceptor } from '../../src/activities/interceptor';
import type { LifecycleActivities } from '../../src/activities/lifecycle';
import type { RestingStep } from '../../src/activities/lifecycle/alarms';
import { createOperations } from '../../src/adapters/temporal/operations';
import type { BackedUpTenant } from '../../src/contracts/backup';
import type { TenantKey } from '../../src/contracts/certificate';
import { DomainError, type ErrorCode } from '../../src/contracts/errors';
import { operationIds, type OperationKind, taskQueues, workflowIds } from '../../src/contracts/names';
import type { PausedSchedule } from '../../src/contracts/maintenance';
import type { Operation } from '../../src/contracts/operation';
import { AgentConfig, type TenantInfrastructure } from '../../src/contracts/tenant';
import type { OffboardingRequest, OnboardingRequest } from '../../src/contracts/operation';
import { readOperation } from '../../src/workflows/operation-definitions';
import { type ActivitiesByQueue, SharedWorkers, type WorkersInput } from '../support/workflow';

export const tenantId = 'acme';

const shared = new SharedWorkers();
// Replays all that the tests did.
afterAll(() => shared.end(), 120_000);

let testsBegun = 0;
beforeEach(() => void (testsBegun += 1));

/** The one operation of this kind that the test is about. */
export const operationIdOf = (kind: OperationKind, of = tenantId): string => operationIds.of(kind, of, uniqueOfTest());

/** Tests of a file share a server, which takes no id twice. */
export const uniqueOfTest = (): string => `0123456789abcdefghjkmn${String(testsBegun).padStart(4, '0')}`;

export const onboardingRequest: OnboardingRequest = {
  tenantId,
  displayName: 'Acme Inc.',
  tier: 'standard',
  administrator: { email: 'ann@acme.example' },
  agent: AgentConfig.parse({}),
};
export const offboardingRequest: OffboardingRequest = { tenantId, graceSeconds: 0, drain: { policy: 'wait', seconds: 5 }, rehearsal: 'skipped', histories: 'kept', requestedBy: 'operator-1' };

const infrastructure: TenantInfrastructure = {
  userPoolId: 'us-east-1_pool',
  userPoolClientId: 'client',
  keyArn: 'arn:aws:kms:us-east-1:000000000000:key/k',
  roleArn: 'arn:aws:iam::000000000000:role/tenant-acme-access',
  tableName: 'tenant-acme-data',
  bucketName: 'tenant-acme-data-bucket',
};

export const lostKey: TenantKey = { keyArn: infrastructure.keyArn, keyState: 'PendingDeletion', checkedAt: '2026-01-31T12:00:00.000Z' };

/** What an operator paused before the tenant left. */
export const pausedSchedule: PausedSchedule = { name: 'stale_sessions', note: 'Paused by ann: an audit' };

export type ActivityName = keyof LifecycleActivities | keyof HandshakeActivities;
type Act = () => Promise<void>;

export const failure = (code: ErrorCode, message: string) => new DomainError(code, message);

/** Activities that do nothing but note that they were called, unless the test says what happens instead. */
export class LifecycleScript {
  /** In the order they were begun, retries included. */
  readonly calls: ActivityName[] = [];
  /** What each creation of schedules was to leave paused. */
  readonly schedulesCreatedPaused: (readonly PausedSchedule[] | undefined)[] = [];
  /** Parts that the settings switch off: their creation makes nothing. */
  private readonly switchedOff = new Set<ActivityName>();
  /** What a person was called for. */
  readonly calledForHelp: RestingStep[] = [];
  /** What the audit log was told. */
  readonly audited: Parameters<LifecycleActivities['auditOperationEnd']>[0][] = [];
  /** Of the configuration in force; undefined: it cannot be read. */
  configVersion: number | undefined = 3;
  /** What a restore finds. */
  restoreMode: 'new' | 'in-place' = 'new';
  /** Of the backup; undefined: it is of the first format. */
  backedUpTenant: BackedUpTenant | undefined;
  /** What the stack was given, in order. */
  readonly clients: string[] = [];
  private readonly inputs: (readonly [ActivityName, unknown])[] = [];
  /** Which clients runtime and gateway were to accept, in order. */
  readonly accepted: ('all' | 'retiring')[] = [];
  private readonly planned = new Map<ActivityName, Act[]>();
  private readonly emitter = new EventEmitter();

  /** The next attempts of an activity fail, one for each error; then it succeeds. */
  fail(name: ActivityName, ...failures: readonly Error[]): this {
    this.plan(name, ...failures.map((error) => () => Promise.reject(error)));
    return this;
  }

  /** The next attempt takes until it is cancelled. @returns a promise of its beginning. */
  hang(name: ActivityName): Promise<unknown> {
    const begun = once(this.emitter, name);
    this.plan(name, () =>
      beating(async () => {
        this.emitter.emit(name);
        await Context.current().cancelled;
      }),
    );
    return begun;
  }

  /** The next attempt takes until it is let go. */
  hold(name: ActivityName): { begun: Promise<unknown>; release: () => void } {
    const begun = once(this.emitter, name);
    const released = once(this.emitter, `release ${name}`);
    this.plan(name, () =>
      beating(async () => {
        this.emitter.emit(name);
        await released;
      }),
    );
    return { begun, release: () => void this.emitter.emit(`release ${name}`) };
  }

  /** @returns what the next attempt is asked. */
  async hear(name: ActivityName): Promise<unknown> {
    const [input] = (await once(this.emitter, `asked ${name}`)) as [unknown];
    return input;
  }

  /** @returns what each attempt so far was asked, oldest first. */
  asked(name: ActivityName): unknown[] {
    return this.inputs.filter(([of]) => of === name).map(([, input]) => input);
  }

  without(...names: readonly ActivityName[]): this {
    names.forEach((name) => this.switchedOff.add(name));
    return this;
  }

  /** What the last calls were: everything after the given one. */
  callsAfter(name: ActivityName): ActivityName[] {
    return this.calls.slice(this.calls.lastIndexOf(name) + 1);
  }

  workers(): WorkersInput {
    return {
      workflowsPath: require.resolve('../../src/workflows/index'),
      workflowQueue: taskQueues.lifecycle,
      activities: this.activities(),
      interceptors: { activity: [activityInterceptor] },
    };
  }

  workersWithoutTenant(): WorkersInput {
    return { ...this.workers(), activities: { [taskQueues.lifecycle]: this.activities()[taskQueues.lifecycle] ?? {} } };
  }

  private activities(): ActivitiesByQueue {
    const does = (name: ActivityName) => (input?: unknown) => this.act(name, input);
    const makes = (name: ActivityName) => (input?: unknown) => this.act(name, input).then(() => !this.switchedOff.has(name));
    const lifecycle: LifecycleActivities = {
      reserveTenant: does('reserveTenant'),
      releaseTenant: does('releaseTenant'),
      activateTenant: does('activateTenant'),
      statusBeforeLeaving: () => this.act('statusBeforeLeaving').then(() => 'suspended'),
      blockTenant: () => this.act('blockTenant').then(() => ({ heardAfterMs: 1_000 })),
      unblockTenant: ({ to }) => this.act('unblockTenant').then(() => expect(to).toBe('suspended')),
      buryTenant: does('buryTenant'),
      claimTenant: does('claimTenant'),
      mustBeErasable: does('mustBeErasable'),
      listErasure: does('listErasure'),
      endErasedSessions: does('endErasedSessions'),
      hideErased: does('hideErased'),
      eraseAt: does('eraseAt'),
      signErasure: does('signErasure'),
      checkTier: () => this.act('checkTier').then(() => ({ before: 'standard' })),
      setTier: () => this.act('setTier').then(() => ({ heardAfterMs: 1_000 })),
      checkConfig: () => this.act('checkConfig').then(() => ({ ...(this.configVersion !== undefined && { before: this.configVersion }), heardAfterMs: 2_000 })),
      putConfigBack: ({ version }) => this.act('putConfigBack').then(() => expect(version).toBe(3)),
      beforeRotation: () => this.act('beforeRotation').then(() => ({ rotations: 1, sealed: 'c2VhbGVk' })),
      rotateKey: ({ rotations }) => this.act('rotateKey').then(() => expect(rotations).toBe(1)),
      renewDataKeys: () => this.act('renewDataKeys').then(() => ({ heardAfterMs: 1_000 })),
      checkKey: ({ sealed }) => this.act('checkKey').then(() => expect(sealed).toBe('c2VhbGVk')),
      clientsBefore: () => this.act('clientsBefore').then(() => ({ before: 'second', tenantCacheMs: 1_000 })),
      setClients: ({ clients }) => {
        this.clients.push(clients);
        return this.act('setClients');
      },
      acceptClients: ({ only }) => {
        this.accepted.push(only ?? 'all');
        return this.act('acceptClients').then(() => !this.switchedOff.has('acceptClients'));
      },
      retireClient: does('retireClient'),
      changeStatus: () => this.act('changeStatus').then(() => ({ heardAfterMs: 1_000 })),
      takeBackStatus: does('takeBackStatus'),
      restSessions: does('restSessions'),
      wakeSessions: does('wakeSessions'),
      releaseClaim: does('releaseClaim'),
      createInfrastructure: () => this.act('createInfrastructure').then(() => infrastructure),
      deleteInfrastructure: does('deleteInfrastructure'),
      emptyBucket: does('emptyBucket'),
      scheduleKeyDeletion: () => this.act('scheduleKeyDeletion').then(() => []),
      checkNothingRemains: does('checkNothingRemains'),
      createTenantSchedules: ({ paused }) => {
        this.schedulesCreatedPaused.push(paused);
        return this.act('createTenantSchedules');
      },
      schedulesBeforeLeaving: () => this.act('schedulesBeforeLeaving').then(() => [{ name: 'usage', note: '', paused: false }, pausedSchedule]),
      deleteTenantSchedules: does('deleteTenantSchedules'),
      pauseTenantSchedules: does('pauseTenantSchedules'),
      resumeTenantSchedules: does('resumeTenantSchedules'),
      createMemory: does('createMemory'),
      deleteMemory: does('deleteMemory'),
      createRuntime: makes('createRuntime'),
      deleteRuntime: does('deleteRuntime'),
      createIdentity: makes('createIdentity'),
      deleteIdentity: does('deleteIdentity'),
      createGateway: makes('createGateway'),
      deleteGateway: does('deleteGateway'),
      createScaling: makes('createScaling'),
      deleteScaling: does('deleteScaling'),
      putConfig: does('putConfig'),
      deleteConfig: does('deleteConfig'),
      createAdministrator: does('createAdministrator'),
      holdSmokeTurn: does('holdSmokeTurn'),
      drainSessions: (input) => this.act('drainSessions', input).then(() => ({ closed: 3, cutOff: 1 })),
      closeEndedSessions: does('closeEndedSessions'),
      announceDeletion: does('announceDeletion'),
      terminateSessions: does('terminateSessions'),
      reportStuck: (resting) => this.act('reportStuck').then(() => void this.calledForHelp.push(resting)),
      auditOperationEnd: (ended) => Promise.resolve(void this.audited.push(ended)),
      keepInventory: () => this.act('keepInventory').then(() => ({ location: 's3://bucket/inventory.json', resources: 17 })),
      endWork: does('endWork'),
      issueCertificate: does('issueCertificate'),
      rollUpUsage: () => this.act('rollUpUsage').then(() => ({ sessions: 3, modelCalls: 1 })),
      takeBackup: does('takeBackup'),
      checkKeyIsLost: () => this.act('checkKeyIsLost').then(() => lostKey),
      takeBackUsers: does('takeBackUsers'),
      forgetRestore: does('forgetRestore'),
      verifyBackup: does('verifyBackup'),
      deleteBackup: does('deleteBackup'),
      restoreMode: () => this.act('restoreMode').then(() => this.restoreMode),
      forgetSessions: does('forgetSessions'),
      findBackup: () => this.act('findBackup').then(() => ({ createdAt: new Date(0).toISOString(), tenant: this.backedUpTenant })),
      restoreUsers: does('restoreUsers'),
      restoreData: does('restoreData'),
      compareWithBackup: (input) => this.act('compareWithBackup', input).then(() => []),
    };
    const tenant: HandshakeActivities = { handshake: () => this.act('handshake').then(() => ({ taskQueue: taskQueues.tenant(tenantId) })) };
    return { [taskQueues.lifecycle]: { ...lifecycle }, [taskQueues.tenant(tenantId)]: { ...tenant } };
  }

  private plan(name: ActivityName, ...acts: readonly Act[]): void {
    this.planned.set(name, [...(this.planned.get(name) ?? []), ...acts]);
  }

  private act(name: ActivityName, input?: unknown): Promise<void> {
    this.calls.push(name);
    this.inputs.push([name, input]);
    this.emitter.emit(`asked ${name}`, input);
    return this.planned.get(name)?.shift()?.() ?? Promise.resolve();
  }
}

/** Runs a scenario with an operation's parts at hand, and replays the operation. */
export const withOperation = (operationId: string, workers: WorkersInput, scenario: (parts: OperationParts) => Promise<void>): Promise<void> =>
  shared.run(workers, async (env) => {
    const workflowId = workflowIds.operation(operationId);
    await scenario(partsOf(env, workflowId));
    return [workflowId];
  });

export type OperationParts = ReturnType<typeof partsOf>;

function partsOf(env: TestWorkflowEnvironment, workflowId: string) {
  const handle = env.client.workflow.getHandle(workflowId);
  return {
    env,
    handle,
    operations: createOperations(env.client),
    result: () => handle.result() as Promise<Operation>,
    /** Waits for the end, whatever it is, and reads the operation off the closed workflow. */
    ended: async () => {
      await handle.result().catch(() => undefined);
      return handle.query(readOperation);
    },
  };
}

/** Beats faster than the interceptor, so that a cancellation arrives at once. */
async function beating(act: () => Promise<void>): Promise<void> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 50);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
}
