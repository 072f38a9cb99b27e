import { CancelledFailure, Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { activityInterceptor } from '../../src/activities/interceptor';
import type { LifecycleActivities } from '../../src/activities/lifecycle';
import type { MaintenanceActivities } from '../../src/activities/maintenance';
import { DomainError } from '../../src/contracts/errors';
import type { Finding, MaintenanceReport } from '../../src/contracts/maintenance';
import { backupIds, maintenanceJobs, type MaintenanceJobName, operationIdPattern, taskQueues } from '../../src/contracts/names';
import { type ActivitiesByQueue, withWorkers } from '../support/workflow';

const workflowsPath = require.resolve('../../src/workflows/index');
const finding = (tenantId: string): Finding => ({ kind: 'resource/missing', tenantId, subject: 's3:bucket b', message: 'It is not there.', repair: 'none' });

/** Runs a job against these activities; what it publishes is kept. */
async function run(job: MaintenanceJobName, activities: Partial<MaintenanceActivities>, input: object, check: (parts: { reports: MaintenanceReport[]; env: TestWorkflowEnvironment; result: unknown }) => Promise<void> | void, elsewhere: ActivitiesByQueue = {}) {
  const reports: MaintenanceReport[] = [];
  const publishReport = (report: MaintenanceReport) => Promise.resolve(void reports.push(report));
  await withWorkers(
    { workflowsPath, workflowQueue: taskQueues.maintenance, activities: { [taskQueues.maintenance]: { publishReport, ...activities }, ...elsewhere }, interceptors: { activity: [activityInterceptor] } },
    async (env) => {
      const workflowId = `platform/maintenance/${job}`;
      const handle = await env.client.workflow.start(maintenanceJobs[job], { taskQueue: taskQueues.maintenance, workflowId, args: [input] });
      const result: unknown = await handle.result();
      await check({ reports, env, result });
      return [workflowId];
    },
  );
}

describe('drift detection', () => {
  it('reports what it finds, at every tenant, and that one could not be looked at', async () => {
    const looked: string[] = [];
    await run(
      'drift',
      {
        inspectPlatform: () => Promise.resolve([]),
        listTenants: ({ cursor }) => Promise.resolve(cursor === undefined ? { tenantIds: ['ann', 'bad'], nextCursor: '2' } : { tenantIds: ['cyd'] }),
        inspectTenant({ tenantId, repair }) {
          expect(repair).toBe(false);
          looked.push(tenantId);
          if (tenantId === 'bad') return Promise.reject(new DomainError('dependency/unavailable', 'S3 does not answer.'));
          return Promise.resolve(tenantId === 'cyd' ? [finding('cyd')] : []);
        },
      },
      {},
      ({ reports, result }) => {
        expect(looked.sort()).toEqual(['ann', 'bad', 'bad', 'bad', 'cyd']);
        expect(result).toEqual({ outcome: 'findings', tenants: 3, omitted: 0, findings: 2 });
        expect(reports).toHaveLength(1);
        expect(reports[0]).toMatchObject({
          format: 'tenure-report/1',
          name: 'drift',
          tenants: 3,
          findings: [{ kind: 'check/failed', tenantId: 'bad', subject: 'bad', message: 'S3 does not answer.' }, finding('cyd')],
        });
      },
    );
  });

  it('goes through a thousand tenants, a few at a time, in runs of a bounded history', async () => {
    let atOnce = 0;
    let most = 0;
    const page = (from: number) => Array.from({ length: 100 }, (_, index) => `tenant-${from + index}`);
    await run(
      'drift',
      {
        inspectPlatform: () => Promise.resolve([]),
        listTenants({ cursor = '0' }) {
          const from = Number(cursor);
          return Promise.resolve({ tenantIds: page(from), ...(from < 900 && { nextCursor: String(from + 100) }) });
        },
        async inspectTenant({ tenantId }) {
          most = Math.max(most, (atOnce += 1));
          await new Promise(setImmediate);
          atOnce -= 1;
          return tenantId.endsWith('7') ? [finding(tenantId)] : [];
        },
      },
      {},
      async ({ reports, env }) => {
        expect(reports).toMatchObject([{ tenants: 1_000, outcome: 'findings', omitted: 0 }]);
        expect(new Set(reports[0]?.findings.map(({ tenantId }) => tenantId)).size).toBe(100);
        expect(most).toBeLessThanOrEqual(8);
        expect(most).toBeGreaterThan(1);
        const { events } = await env.client.workflow.getHandle('platform/maintenance/drift').fetchHistory();
        expect(events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId).not.toBe('');
        expect(events?.length).toBeLessThan(4_000);
      },
    );
  });

  it('looks at the tenants it is told to, and mends when it is told to', async () => {
    const looked: unknown[] = [];
    const inspectTenant = (input: { tenantId: string; repair: boolean }) => {
      looked.push(input);
      return Promise.resolve<Finding[]>([{ ...finding(input.tenantId), repair: 'done' }]);
    };
    await run('drift', { inspectPlatform: () => Promise.resolve([]), inspectTenant }, { tenantIds: ['ann'], repair: true }, ({ reports }) => {
      expect(looked).toEqual([{ tenantId: 'ann', repair: true }]);
      expect(reports).toMatchObject([{ tenants: 1, outcome: 'clean', findings: [{ repair: 'done' }] }]);
    });
  });
});

describe('the search for orphans', () => {
  it('deletes only those it is told to', async () => {
    const destroyed: string[] = [];
    const activities: Partial<MaintenanceActivities> = {
      listOrphans: () => Promise.resolve(['ghost', 'spectre']),
      inspectOrphan: ({ tenantId }) => Promise.resolve([finding(tenantId)]),
      destroyOrphan({ tenantId }) {
        destroyed.push(tenantId);
        return Promise.resolve([{ ...finding(tenantId), repair: 'done' as const }]);
      },
    };
    await run('orphans', activities, { destroy: ['ghost', 'acme'] }, ({ reports }) => {
      expect(destroyed).toEqual(['ghost']);
      expect(reports).toMatchObject([{ tenants: 2, outcome: 'findings' }]);
      // Side by side: in any order.
      expect(new Map(reports[0]?.findings.map(({ tenantId, repair }) => [tenantId, repair]))).toEqual(new Map([['ghost', 'done'], ['spectre', 'none']]));
    });
    await run('orphans', activities, {}, () => expect(destroyed).toEqual(['ghost']));
  });
});

it('closes stale sessions and adds up usage, trying again what fails for a while', async () => {
  let failures = 3;
  const rollUpUsage = () => (failures-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve({ sessions: 2, modelCalls: 5 }));
  await run('usage', { rollUpUsage }, { tenantId: 'acme' }, ({ result }) => expect(result).toEqual({ sessions: 2, modelCalls: 5 }));
  const closeStaleSessions = ({ tenantId }: { tenantId: string }) => Promise.resolve({ running: 3, closed: tenantId === 'acme' ? 1 : 0 });
  await run('stale_sessions', { closeStaleSessions }, { tenantId: 'acme' }, ({ result }) => expect(result).toEqual({ running: 3, closed: 1 }));
});

it('measures backlogs beside the maintenance, whose slots may be taken, and tries once more', async () => {
  let failures = 1;
  const measureBacklogs = () => (failures-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve({ tenants: 2, waiting: 7 }));
  await run('backlog', {}, {}, ({ result, reports }) => expect([result, reports]).toEqual([{ tenants: 2, waiting: 7 }, []]), { [taskQueues.lifecycle]: { measureBacklogs } });
});

describe('the nightly backup', () => {
  const claims: string[] = [];
  const deletedBackups: string[] = [];

  /** One night of acme; the tenant is claimable after so many refusals. */
  async function night({ refusals = 0, why, spoilt = false }: { refusals?: number; why?: string; spoilt?: boolean }, check: (outcome: { result: unknown; error: unknown; pruned: number }) => void) {
    claims.length = deletedBackups.length = 0;
    let pruned = 0;
    const lifecycle: Partial<LifecycleActivities> = {
      claimTenant({ operationId }) {
        claims.push(operationId);
        return claims.length > refusals ? Promise.resolve() : Promise.reject(new DomainError('tenant/busy', 'Another operation works on it.'));
      },
      releaseClaim: () => Promise.resolve(),
      auditOperationEnd: () => Promise.resolve(),
      takeBackup: () => Promise.resolve(),
      verifyBackup: () => (spoilt ? Promise.reject(new DomainError('backup/incomplete', 'A part differs.')) : Promise.resolve()),
      deleteBackup: ({ backupId }) => Promise.resolve(void deletedBackups.push(backupId)),
    };
    const maintenance: Partial<MaintenanceActivities> = {
      whyNoBackup: () => Promise.resolve(why === undefined ? {} : { why }),
      pruneBackups: () => Promise.resolve({ deleted: [`bak-old${(pruned += 1)}`] }),
    };
    await withWorkers(
      {
        workflowsPath,
        workflowQueue: taskQueues.maintenance,
        childQueue: taskQueues.lifecycle,
        activities: { [taskQueues.maintenance]: maintenance, [taskQueues.lifecycle]: lifecycle },
        interceptors: { activity: [activityInterceptor] },
      },
      async (env) => {
        const workflowId = 'acme/maintenance/backup';
        const handle = await env.client.workflow.start('nightlyBackup', { taskQueue: taskQueues.maintenance, workflowId, args: [{ tenantId: 'acme' }] });
        const [outcome] = await Promise.allSettled([handle.result()]);
        check({ result: outcome.status === 'fulfilled' ? outcome.value : undefined, error: outcome.status === 'rejected' ? (outcome.reason as Error).cause : undefined, pruned });
        return [workflowId];
      },
    );
  }

  it('is an operation, and then the old ones go', () =>
    night({}, ({ result }) => {
      expect(claims).toEqual([expect.stringMatching(operationIdPattern)]);
      const [operationId = ''] = claims;
      expect(operationId).toMatch(/^backup_acme_/);
      expect(result).toEqual({ operationId, backupId: backupIds.ofOperation(operationId), deleted: ['bak-old1'] });
    }));

  it('waits for another operation, and begins a new one each time', () =>
    night({ refusals: 2 }, ({ result }) => {
      expect(new Set(claims).size).toBe(3);
      expect(result).toMatchObject({ operationId: claims[2] });
    }));

  it('fails visibly in the morning when the tenant was busy all night, and deletes nothing', () =>
    night({ refusals: 1_000 }, ({ error, pruned }) => {
      expect(error).toMatchObject({ type: 'tenant/busy' });
      expect(claims).toHaveLength(25);
      expect(pruned).toBe(0);
    }));

  it('that does not verify is taken back, and nothing older is deleted for it', () =>
    night({ spoilt: true }, ({ error, pruned }) => {
      expect(error).toMatchObject({ type: 'backup/incomplete' });
      expect(deletedBackups).toEqual([backupIds.ofOperation(claims[0] ?? '')]);
      expect(pruned).toBe(0);
    }));

  it('leaves a tenant out, and says why', () =>
    night({ why: 'it is suspended' }, ({ result, pruned }) => {
      expect(result).toEqual({ leftOut: 'it is suspended' });
      expect(claims).toEqual([]);
      expect(pruned).toBe(0);
    }));
});

it('looks at the backups of all tenants, those that have left too', () => {
  const looked: string[] = [];
  return run(
    'expiry',
    {
      listBackupOwners: ({ cursor }) => Promise.resolve(cursor === undefined ? { tenantIds: ['ann', 'gone'], nextCursor: 'gone' } : { tenantIds: ['zoe'] }),
      checkExpiry({ tenantId }) {
        looked.push(tenantId);
        return Promise.resolve<Finding[]>(tenantId === 'gone' ? [{ kind: 'backup/expired', tenantId, subject: 'bak-1', message: 'Its time was over: it is deleted.', repair: 'done' }] : []);
      },
    },
    {},
    ({ reports }) => {
      expect(looked.sort()).toEqual(['ann', 'gone', 'zoe']);
      expect(reports).toMatchObject([{ name: 'expiry', tenants: 3, outcome: 'clean', findings: [{ kind: 'backup/expired', tenantId: 'gone', subject: 'bak-1' }] }]);
    },
  );
});

it('signs the audit log of the platform and of each tenant; one that does not hold together is a finding', () => {
  const signed: (string | undefined)[] = [];
  const broken: Finding = { kind: 'audit/broken', tenantId: 'bad', subject: 'audit:entries bad', message: 'Entry 7 was changed.', repair: 'none' };
  return run(
    'audit',
    {
      listAuditedTenants: ({ cursor }) => Promise.resolve(cursor === undefined ? { tenantIds: ['ann', 'bad'], nextCursor: 'bad' } : { tenantIds: ['gone'] }),
      signAuditChain: ({ tenantId }) => Promise.resolve(void signed.push(tenantId)).then(() => (tenantId === 'bad' ? [broken] : [])),
    },
    {},
    ({ reports }) => {
      expect(signed.sort()).toEqual(['ann', 'bad', 'gone', undefined]);
      expect(reports).toMatchObject([{ name: 'audit', tenants: 3, outcome: 'findings', findings: [broken] }]);
    },
  );
});

describe('the isolation probe', () => {
  const summaryOf = (tenantId: string, otherTenantId: string) => ({ tenantId, otherTenantId, refused: 1, gotThrough: 0, notTried: 0 });

  it('goes on in a new run with what it has found, and takes every user back', async () => {
    const users = new Set<string>();
    const page = (from: number, count: number) => Array.from({ length: count }, (_, index) => ({ tenantId: `t-${from + index}`, otherTenantId: 't-0' }));
    await run(
      'isolation_probe',
      {
        chooseForProbe({ cursor = '0' }) {
          const from = Number(cursor);
          return Promise.resolve({ pairs: page(from, from === 300 ? 1 : 150), ...(from < 300 && { nextCursor: String(from + 150) }) });
        },
        probeTenant({ tenantId, otherTenantId, email }) {
          users.add(email);
          return Promise.resolve({ summary: summaryOf(tenantId, otherTenantId), findings: tenantId === 't-7' ? [finding(tenantId)] : [], suspend: false });
        },
        removeProbeUser: ({ email }) => Promise.resolve(void users.delete(email)),
      },
      {},
      async ({ reports, env }) => {
        expect(reports).toMatchObject([{ name: 'isolation_probe', tenants: 301, outcome: 'findings', findings: [finding('t-7')] }]);
        expect(new Set(reports[0]?.probes?.map(({ tenantId }) => tenantId)).size).toBe(301);
        expect(users.size).toBe(0);
        const { events } = await env.client.workflow.getHandle('platform/maintenance/isolation_probe').fetchHistory();
        expect(events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId).not.toBe('');
      },
    );
  });

  it('takes its users back when it is cancelled, those as well that were made while it was', async () => {
    const done: string[] = [];
    let begin = (): void => undefined;
    const isBegun = new Promise<void>((resolve) => (begin = resolve));
    const activities: Partial<MaintenanceActivities> = {
      chooseForProbe: () => Promise.resolve({ pairs: [{ tenantId: 'ann', otherTenantId: 'bob' }] }),
      async probeTenant({ email }) {
        begin();
        await Context.current().cancelled.catch(() => undefined);
        // Long enough for a workflow that does not wait to remove a user there is not yet.
        await new Promise((resolve) => setTimeout(resolve, 500));
        done.push(`made ${email}`);
        throw new CancelledFailure('cancelled');
      },
      removeProbeUser: ({ email }) => Promise.resolve(void done.push(`removed ${email}`)),
      publishReport: () => Promise.resolve(void done.push('published')),
    };
    await withWorkers({ workflowsPath, workflowQueue: taskQueues.maintenance, activities: { [taskQueues.maintenance]: activities }, interceptors: { activity: [activityInterceptor] } }, async (env) => {
      const handle = await env.client.workflow.start(maintenanceJobs.isolation_probe, { taskQueue: taskQueues.maintenance, workflowId: 'cancelled-probe', args: [{}] });
      await isBegun;
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      const email = done[0]?.split(' ')[1] ?? '';
      expect(done).toEqual([`made ${email}`, `removed ${email}`]);
      return ['cancelled-probe'];
    });
  });
});
