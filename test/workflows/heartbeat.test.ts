import { activityInfo } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { beat } from '../../src/activities/beat';
import { activityInterceptor } from '../../src/activities/interceptor';
import { withWorkers } from '../support/workflow';
import type { untilWorked } from './heartbeat-workflow';

const taskQueue = 'heartbeats';

/** Runs it with what its attempts do, the first first. */
function attempts(steps: readonly ((env: TestWorkflowEnvironment) => unknown)[]): Promise<unknown> {
  let found: unknown;
  let server: TestWorkflowEnvironment | undefined;
  const work = () => Promise.resolve(server && steps[activityInfo().attempt - 1]?.(server));
  const input = { workflowsPath: require.resolve('./heartbeat-workflow'), workflowQueue: taskQueue, activities: { [taskQueue]: { work } }, interceptors: { activity: [activityInterceptor] } };
  return withWorkers(input, async (env) => {
    server = env;
    found = await env.client.workflow.execute<typeof untilWorked>('untilWorked', { taskQueue, workflowId: taskQueue });
    return [taskQueue];
  }).then(() => found);
}

const heartbeatAt = async ({ client }: TestWorkflowEnvironment): Promise<number> => {
  const { raw } = await client.workflow.getHandle(taskQueue).describe();
  const { seconds, nanos } = raw.pendingActivities?.[0]?.lastHeartbeatTime ?? {};
  return Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1e6;
};

/** Until the server has heard of this attempt twice. */
async function heard(env: TestWorkflowEnvironment): Promise<void> {
  for (let beats = 0, last = await heartbeatAt(env); beats < 2; ) {
    const now = await heartbeatAt(env);
    if (now > last) beats += 1;
    last = now;
  }
}

const die = () => Promise.reject(new Error('the attempt is lost'));
const given = () => Promise.resolve(activityInfo().heartbeatDetails);

it('keeps for the attempt after next what an attempt has left, although the one between had nothing to say', async () => {
  const leave = () => (beat({ left: 7 }), die());
  expect(await attempts([leave, (env) => heard(env).then(die), given])).toEqual({ left: 7 });
});

it('goes on saying what an attempt has said last', async () => {
  const leave = async (env: TestWorkflowEnvironment) => (beat('first'), beat('last'), heard(env).then(die));
  expect(await attempts([leave, given])).toBe('last');
});
