import { condition, defineUpdate, proxyActivities, setHandler, workflowInfo, continueAsNew, allHandlersFinished } from '@temporalio/workflow';
import type { TurnSteps } from './steps';
import { takeTurn } from './turn';

const steps = proxyActivities<TurnSteps>({ taskQueue: 'bare-tools', startToCloseTimeout: '1 minute', heartbeatTimeout: '10 seconds' });

export const ask = defineUpdate<string, [string]>('ask');

/** A conversation as Temporal's own samples would write it: the update waits for the turn, the texts are in the history. */
export async function bare(): Promise<void> {
  const inbox: { text: string; answer: (text: string) => void }[] = [];
  setHandler(ask, (text) => new Promise<string>((answer) => inbox.push({ text, answer })));
  for (let turns = 0; ; turns += 1) {
    await condition(() => inbox.length > 0 || (turns >= 25 && workflowInfo().historyLength > 500));
    const next = inbox.shift();
    if (!next) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof bare>();
      return;
    }
    next.answer(await takeTurn(steps, next.text));
  }
}
