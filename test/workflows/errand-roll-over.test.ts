import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionActivities } from '../../src/activities/session';
import type { ThinkInput } from '../../src/activities/session/think';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import type { Errand } from '../../src/contracts/session';
import type { OpenCall, Thought } from '../../src/domain/session';
import { cancelTurn, closeSession, submitMessage } from '../../src/workflows/definitions';
import type { session } from '../../src/workflows/session';
import { impatientServer, withWorkers } from '../support/workflow';
import { cancelledWhileBeating, gate, limits, Script, tenantId, userId } from './session-script';

jest.setTimeout(90_000);

/** A step with a tool adds about twenty. */
const eventsPerRun = 60;
const steps = 12;
const childId = 'ses-child';
const openCall = (callId: string, more: Partial<OpenCall> = {}): OpenCall => ({ callId, tool: 'calculator', requestedAt: 1, timeoutMs: 20_000, maxAttempts: 1, ...more });
const errand: Errand = { turnId: 'task', depth: 1, timeoutMs: 3_600_000 };

/** Works for `turn-1` step by step, with a tool in each. */
class LongErrand {
  readonly runIds = new Set<string>();
  readonly script: Script;

  /** @param last - what the other agent does in its last step; absent: it answers. */
  constructor(private readonly last?: () => Promise<never>) {
    const { script, runIds } = { script: () => this.script, runIds: this.runIds };
    const overrides: Partial<SessionActivities> = {
      think: (input) => {
        if (input.turnId === 'task') runIds.add(Context.current().info.workflowExecution?.runId ?? '');
        return this.think(input);
      },
      useTool: ({ turnId, step, call: { callId, childSessionId } }) =>
        Promise.resolve({ ...script().write(`use ${turnId}/${step}/${callId}`), ...(childSessionId !== undefined && { opened: { agent: { name: 'research', version: 3 }, errand } }) }),
      closeSession: ({ sessionId }) => Promise.resolve(script().write(`close ${sessionId}`)),
    };
    this.script = new Script(overrides);
  }

  private async think({ turnId, step }: ThinkInput): Promise<Thought> {
    const isLast = turnId === 'task' && step === steps;
    if (isLast && this.last) return this.last();
    const { head } = this.script.write(`think ${turnId}/${step}`);
    const bounds = { ...limits, maxSteps: 50 };
    if (turnId === 'turn-1' && step === 1) return { head, calls: [openCall('a', { tool: 'research', finishes: true, childSessionId: childId })], configVersion: 7, limits: bounds };
    if (turnId === 'task' && !isLast) return { head, calls: [openCall('b')], configVersion: 7, limits: bounds };
    return { head, outcome: 'completed', calls: [], limits: bounds };
  }

  /** What was done up to and with so many of its steps. */
  doneUpTo(step: number): string[] {
    return ['think turn-1/1', 'use turn-1/1/a', ...Array.from({ length: step }, (_none, index) => [`think task/${index + 1}`, ...(index + 1 < steps ? [`use task/${index + 1}/b`] : [])]).flat()];
  }
}

function converse({ script }: LongErrand, scenario: (caller: WorkflowHandle<typeof session>, child: WorkflowHandle<typeof session>) => Promise<void>): Promise<void> {
  const [callerId, workOfChild] = [workflowIds.session(tenantId, 'ses-1'), workflowIds.session(tenantId, childId)];
  const input = { workflowsPath: require.resolve('../../src/workflows/index'), workflowQueue: taskQueues.sessions, activities: { [taskQueues.tenant(tenantId)]: script.activities } };
  const run = async ({ client }: Awaited<ReturnType<typeof impatientServer>>) => {
    await client.workflow.start<typeof session>('session', { workflowId: callerId, taskQueue: taskQueues.sessions, args: [{ tenantId, sessionId: 'ses-1', userId }] });
    // Without run ids: they follow the sessions as these continue as new.
    const [caller, child] = [client.workflow.getHandle<typeof session>(callerId), client.workflow.getHandle<typeof session>(workOfChild)];
    await caller.executeUpdate(submitMessage, { updateId: 'turn-1', args: [{ turnId: 'turn-1', userId, onBusy: 'enqueue' }] });
    await scenario(caller, child);
    return [callerId, workOfChild];
  };
  return withWorkers(input, run, () => impatientServer(eventsPerRun));
}

it('continues as new in the middle of its work, as often as it must; its caller has the one result at its end', async () => {
  const errandOf = new LongErrand();
  await converse(errandOf, async (caller) => {
    await caller.signal(closeSession);
    await caller.result();
  });
  expect(errandOf.runIds.size).toBeGreaterThan(2);
  expect(errandOf.script.done).toEqual([...errandOf.doneUpTo(steps), `close ${childId}`, 'settle a', 'think turn-1/2', 'close ses-1']);
});

it.each<[string, (caller: WorkflowHandle<typeof session>) => Promise<unknown>, string[]]>([
  [
    'its caller is stopped',
    async (caller) => {
      await caller.executeUpdate(cancelTurn, { args: [{}] });
      await caller.signal(closeSession);
      await caller.result();
    },
    ['settle a', 'end turn-1 cancelled', 'close ses-1'],
  ],
  ['the workflow of its caller is terminated', (caller) => caller.terminate(), []],
])('is stopped behind that as well when %s', async (_when, stop, end) => {
  const working = gate();
  const errandOf = new LongErrand(() => {
    void working.pass();
    return cancelledWhileBeating();
  });
  await converse(errandOf, async (caller, child) => {
    await working.reached;
    await stop(caller);
    await child.result();
  });
  expect(errandOf.runIds.size).toBeGreaterThan(2);
  expect(errandOf.script.done).toEqual([...errandOf.doneUpTo(steps - 1), 'end task cancelled', `close ${childId}`, ...end]);
});
