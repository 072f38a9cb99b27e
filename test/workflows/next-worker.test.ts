import type { WorkflowHandle } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { budgetChanged, holdSession, releaseSession } from '../../src/workflows/definitions';
import { answeringBehind, converse, gate, limits, Script } from './session-script';

/** Of a workflow whose tasks are each taken by a worker that has nothing of it: that one hears of what came in the order in which Temporal hands it over. */
const withoutCache = 0;

/** @throws Error when the workflow stands still: its worker cannot tell the story that the history tells. */
async function untilQuiet(handle: WorkflowHandle): Promise<void> {
  for (let task = await taskOf(handle); task; task = await taskOf(handle)) {
    if ((task.attempt ?? 0) > 2) throw new Error('The session stands still');
    await delay(20);
  }
}

const taskOf = async (handle: WorkflowHandle) => (await handle.describe()).raw.pendingWorkflowTask;

async function untilAnswered(handle: WorkflowHandle, activities: number): Promise<void> {
  for (;;) {
    const { events } = await handle.fetchHistory();
    await untilQuiet(handle);
    if ((events ?? []).filter(({ activityTaskCompletedEventAttributes: answer }) => answer).length >= activities) return;
  }
}

describe('the message after a turn in which something came that asked for nothing finds its session in the next worker', () => {
  const cases: readonly (readonly [string, (handle: WorkflowHandle) => Promise<void>])[] = [
    [
      'a suspension that was called off',
      async (handle) => {
        await handle.signal(holdSession, { at: 'turn' });
        await untilQuiet(handle);
        await handle.signal(releaseSession);
      },
    ],
    [
      'two changes of a budget',
      async (handle) => {
        await handle.signal(budgetChanged, { heardAfterMs: 0 });
        await untilQuiet(handle);
        await handle.signal(budgetChanged, { heardAfterMs: 0 });
      },
    ],
  ];

  it.each(cases)('%s', async (_, meanwhile) => {
    const thinking = gate();
    const script = answeringBehind(thinking);
    await converse(
      script,
      async ({ handle, send, close }) => {
        await send('turn-1');
        await thinking.reached;
        await meanwhile(handle);
        await untilQuiet(handle);
        thinking.open();
        await untilAnswered(handle, 1);
        await send('turn-2');
        await untilAnswered(handle, 2);
        await close();
      },
      undefined,
      withoutCache,
    );
    expect(script.done).toEqual(['think turn-1/1', 'think turn-2/1', 'close']);
  });

  it('the facts of the turn before', async () => {
    const [thinking, extracting] = [gate(), gate()];
    const script: Script = new Script({
      async think({ turnId, step }) {
        const isSecond = turnId === 'turn-2';
        if (isSecond) await thinking.pass();
        return { ...script.write(`think ${turnId}/${step}`), outcome: isSecond ? 'failed' : 'completed', calls: [], limits, ...(turnId === 'turn-1' && { extract: true }) };
      },
      async extractFacts({ turnId }) {
        await extracting.pass();
        return script.write(`extract ${turnId}`);
      },
    });
    await converse(
      script,
      async ({ handle, send, close }) => {
        await send('turn-1');
        await extracting.reached;
        await send('turn-2');
        await thinking.reached;
        extracting.open();
        await untilAnswered(handle, 2);
        thinking.open();
        await untilAnswered(handle, 3);
        await send('turn-3');
        await untilAnswered(handle, 4);
        await close();
      },
      undefined,
      withoutCache,
    );
    expect(script.done).toEqual(['think turn-1/1', 'extract turn-1', 'think turn-2/1', 'think turn-3/1', 'close']);
  });
});
