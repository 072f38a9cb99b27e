import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { activityInterceptor } from '../../src/activities/interceptor';
import type { MaintenanceActivities } from '../../src/activities/maintenance';
import { DomainError } from '../../src/contracts/errors';
import type { Finding, MaintenanceReport } from '../../src/contracts/maintenance';
import { maintenanceJobs, type MaintenanceJobName, taskQueues } from '../../src/contracts/names';
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
  }, 120_000);

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
      expect(reports).toMatchObject([{ tenants: 2, outcome: 'findings', findings: [{ tenantId: 'ghost', repair: 'done' }, { tenantId: 'spectre', repair: 'none' }] }]);
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
