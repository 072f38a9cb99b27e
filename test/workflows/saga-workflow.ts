import { proxyActivities } from '@temporalio/workflow';
import { saga } from '../../src/workflows/saga';

export interface SagaActivities {
  act(step: string): Promise<void>;
  undo(step: string): Promise<void>;
}

const { act, undo } = proxyActivities<SagaActivities>({ startToCloseTimeout: '10 seconds', heartbeatTimeout: '5 seconds', retry: { maximumAttempts: 1 } });

/** Three steps and their undos; `bug` ends it as a mistake in a workflow's code would. */
export async function threeSteps({ bug }: { bug?: boolean } = {}): Promise<string> {
  await saga<string>(
    async (register) => {
      for (const step of ['first', 'second', 'third']) {
        register({ step, run: () => undo(step) });
        await act(step);
      }
      if (bug) throw new TypeError('a bug');
    },
    { begin: () => undefined, undo: ({ run }) => run() },
  );
  return 'done';
}
