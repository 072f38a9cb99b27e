import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { withWorkers } from '../support/workflow';
import type { SagaActivities, threeSteps } from './saga-workflow';

const taskQueue = 'saga';
type Step = (step: string) => Promise<void>;

const succeeds: Step = () => Promise.resolve();
const failsAt =
  (failing: string): Step =>
  (step) =>
    step === failing ? Promise.reject(ApplicationFailure.nonRetryable(`${step} failed`, 'turn/failed')) : Promise.resolve();

async function untilCancelled(): Promise<void> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), 50);
  await context.cancelled.finally(() => clearInterval(beating));
}

/** Runs the saga's workers with steps of the test's own. `calls` is what they did, in order. */
function withSteps(step: Step, scenario: (env: TestWorkflowEnvironment, calls: readonly string[]) => Promise<readonly string[]>): Promise<void> {
  const calls: string[] = [];
  const activities: SagaActivities = {
    act: (name) => {
      calls.push(name);
      return step(name);
    },
    undo: (name) => Promise.resolve(void calls.push(`undo ${name}`)),
  };
  return withWorkers(
    { workflowsPath: require.resolve('./saga-workflow'), workflowQueue: taskQueue, activities: { [taskQueue]: { ...activities } } },
    (env) => scenario(env, calls),
  );
}

const start = ({ client }: TestWorkflowEnvironment, input: { bug?: boolean } = {}) =>
  client.workflow.start<typeof threeSteps>('threeSteps', { taskQueue, workflowId: input.bug ? 'buggy' : 'saga', args: [input] });

it('undoes nothing when all goes well', () =>
  withSteps(succeeds, async (env, calls) => {
    await expect((await start(env)).result()).resolves.toBe('done');
    expect(calls).toEqual(['first', 'second', 'third']);
    return ['saga'];
  }));

it.each([
  ['first', ['first', 'undo first']],
  ['second', ['first', 'second', 'undo second', 'undo first']],
  ['third', ['first', 'second', 'third', 'undo third', 'undo second', 'undo first']],
])('undoes what was begun, newest first, and fails as %s did', (failing, expected) =>
  withSteps(failsAt(failing), async (env, calls) => {
    await expect((await start(env)).result()).rejects.toMatchObject({ cause: { cause: { type: 'turn/failed', message: `${failing} failed` } } });
    expect(calls).toEqual(expected);
    return ['saga'];
  }),
);

it('undoes in spite of the cancellation that made it undo', () =>
  withSteps((step) => (step === 'second' ? untilCancelled() : Promise.resolve()), async (env, calls) => {
    const handle = await start(env);
    while (!calls.includes('second')) await setImmediate();
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
    expect(calls).toEqual(['first', 'second', 'undo second', 'undo first']);
    return ['saga'];
  }));

it("holds still when the workflow's own code is wrong, so that it can be mended", () =>
  withSteps(succeeds, async (env, calls) => {
    const buggy = await start(env, { bug: true });
    while (!(await buggy.fetchHistory()).events?.some(({ workflowTaskFailedEventAttributes: failed }) => failed)) await setImmediate();
    await expect(buggy.describe()).resolves.toMatchObject({ status: { name: 'RUNNING' } });
    expect(calls).toEqual(['first', 'second', 'third']);
    await buggy.terminate();
    await (await start(env)).result();
    return ['saga'];
  }));
