import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { searchAttributes, unscheduledId, workflowIds } from '../../contracts/names';
import type { ErasurePlace, ErasureScope } from '../../ports/erasures';
import { scheduledRunWorkflow } from '../../workflows/definitions';
import { translating, unlessGone, unlessMissing } from './errors';

const answerWithinMs = 10_000;
const lookAgainMs = 200;

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

/** Histories of sessions, and of the runs of a user's scheduled agents. Temporal's list lags behind, so that each execution is asked for by itself. */
export function createErasedWork(client: Client): ErasurePlace {
  const calling = <T>(call: () => Promise<T>) => unlessMissing(() => client.withDeadline(Date.now() + answerWithinMs, call));
  const isThere = async ({ workflowId, runId }: Execution) => (await calling(() => client.workflow.getHandle(workflowId, runId).describe())) !== undefined;

  async function listed(query: string): Promise<Execution[]> {
    return translating(() =>
      client.withDeadline(Date.now() + answerWithinMs, async () => {
        const found: Execution[] = [];
        for await (const { workflowId, runId } of client.workflow.list({ query })) found.push({ workflowId, runId });
        return found;
      }),
    );
  }

  /** All runs of one workflow that are there. */
  async function runsOf(workflowId: string): Promise<Execution[]> {
    const latest = await calling(() => client.workflow.getHandle(workflowId).describe());
    const found = new Map((await listed(`WorkflowId="${workflowId}"`)).map((one) => [one.runId, one]));
    if (latest) found.set(latest.runId, { workflowId, runId: latest.runId });
    return [...found.values()];
  }

  async function* executions({ tenantId, sessions, schedules }: ErasureScope): AsyncGenerator<Execution> {
    for (const { sessionId } of sessions) for (const one of await runsOf(workflowIds.session(tenantId, sessionId))) if (await isThere(one)) yield one;
    if (schedules.length === 0) return;
    const ids = schedules.map((name) => workflowIds.scheduledRun(tenantId, name));
    const isOfThese = ({ workflowId }: Execution) => ids.some((id) => unscheduledId(workflowId) === id || workflowId.startsWith(`${id}/`));
    for (const one of (await listed(`${searchAttributes.tenantId}="${tenantId}" AND WorkflowType="${scheduledRunWorkflow}"`)).filter(isOfThese)) if (await isThere(one)) yield one;
  }

  async function remove({ workflowId, runId }: Execution): Promise<void> {
    const { namespace } = client.options;
    await calling(() => client.workflow.getHandle(workflowId, runId).terminate('it is erased'));
    await calling(() => client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } }).catch(unlessGone));
  }

  return {
    name: 'temporal',
    call: 'DescribeWorkflowExecution of every run',
    async count(scope, { signal, beat }) {
      let count = 0;
      for await (const { workflowId } of executions(scope)) {
        signal.throwIfAborted();
        beat(workflowId);
        count += 1;
      }
      return count;
    },
    async erase(scope, { signal, beat }) {
      for (let left = Infinity; left > 0; ) {
        left = 0;
        for await (const one of executions(scope)) {
          left += 1;
          await remove(one);
          beat(`${one.workflowId} is being deleted`);
        }
        // Temporal deletes when it comes to it.
        if (left > 0) await delay(lookAgainMs, undefined, { signal });
      }
    },
  };
}
