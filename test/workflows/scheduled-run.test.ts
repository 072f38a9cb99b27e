import { activityInterceptor } from '../../src/activities/interceptor';
import type { ScheduledRunActivities, Settled } from '../../src/activities/scheduled';
import { DomainError } from '../../src/contracts/errors';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import { omit } from '../../src/domain/omit';
import { SharedWorkers } from '../support/workflow';

const workers = new SharedWorkers();
afterAll(() => workers.end());

const turn = { sessionId: 'ses-1', turnId: 'turn-1', after: 3, isOwn: true };
type Activities = { readonly [Name in keyof ScheduledRunActivities]: ScheduledRunActivities[Name] };

/** Runs it with these activities. @returns what was noted at its end, and of which turn. */
async function run(schedule: string, activities: Partial<Activities>) {
  const ends: object[] = [];
  const all: Activities = {
    beginRun: () => Promise.resolve({ turn }),
    lookAtRun: () => Promise.resolve({ seen: 4, settled: { outcome: 'completed' } }),
    stopRun: () => Promise.resolve(),
    endRun: (end) => Promise.resolve(void ends.push(omit(end, 'runId', 'startedAt'))),
    ...activities,
  };
  const input = { workflowsPath: require.resolve('../../src/workflows/index'), workflowQueue: taskQueues.sessions, activities: { [taskQueues.tenant('acme')]: all }, interceptors: { activity: [activityInterceptor] } };
  await workers.run(input, async (env) => {
    const workflowId = `${workflowIds.scheduledRun('acme', schedule)}-2026-11-28T07:30:00Z`;
    const handle = await env.client.workflow.start('scheduledRun', { taskQueue: taskQueues.sessions, workflowId, args: [{ tenantId: 'acme', schedule }] });
    await handle.result();
    return [workflowId];
  });
  return ends;
}

it('waits for the end of its turn however long that takes, and tells when it was planned', async () => {
  const planned: unknown[] = [];
  const looks: boolean[] = [];
  const places: number[] = [];
  const ends = await run('patient', {
    beginRun({ plannedAt }) {
      planned.push(plannedAt);
      return Promise.resolve({ turn });
    },
    lookAtRun({ mayBeLost, after }) {
      looks.push(mayBeLost);
      places.push(after);
      return Promise.resolve({ seen: after + 2, ...(looks.length === 100 && { settled: { outcome: 'budget_exhausted' } }) });
    },
  });
  expect(planned).toEqual(['2026-11-28T07:30:00.000Z']);
  expect(places).toEqual(Array.from({ length: 100 }, (_none, index) => turn.after + 2 * index));
  expect([looks.slice(0, 7), looks.length]).toEqual([[false, false, false, false, false, false, true], 100]);
  expect(ends).toEqual([{ tenantId: 'acme', schedule: 'patient', turn, settled: { outcome: 'budget_exhausted' } }]);
});

it('notes that it was refused, and asks for no turn then', async () => {
  const settled: Settled = { outcome: 'refused', code: 'schedule/owner-refused', message: 'The user who made it was removed.' };
  expect(await run('refused', { beginRun: () => Promise.resolve({ ended: settled }), lookAtRun: () => Promise.reject(new Error('asked for a turn')) })).toEqual([{ tenantId: 'acme', schedule: 'refused', settled }]);
});

it('does not begin for an hour, and is refused with the reason', async () => {
  const busy = () => Promise.reject(new DomainError('limit/turns', 'No more turns may be under way at once.', { retryAfterSeconds: 15 }));
  expect(await run('busy', { beginRun: busy })).toMatchObject([{ settled: { outcome: 'refused', code: 'limit/turns' } }]);
});
