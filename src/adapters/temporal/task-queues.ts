import type { Client } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import type { TaskQueues } from '../../ports/task-queues';
import { translating } from './errors';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = temporal.api.enums.v1.TaskQueueType;
const types = { activities: TASK_QUEUE_TYPE_ACTIVITY, workflows: TASK_QUEUE_TYPE_WORKFLOW } as const;

const answerWithinMs = 10_000;
/** A worker asks again within a minute. */
const aliveMs = 90_000;

/** What the server knows of its queues. */
export function createTaskQueues(client: Client): TaskQueues {
  const { namespace } = client.options;
  const describe = (queue: string, kind: keyof typeof types, reportStats = false) =>
    translating(() =>
      client.withDeadline(Date.now() + answerWithinMs, () => client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType: types[kind], reportStats })),
    );

  return {
    async serviceOf(queue, kind) {
      const { pollers } = await describe(queue, kind);
      const times = pollers.flatMap(({ lastAccessTime }) => (lastAccessTime ? [tsToMs(lastAccessTime)] : []));
      return {
        queue,
        pollers: times.filter((time) => Date.now() - time < aliveMs).length,
        ...(times.length > 0 && { lastPolledAt: new Date(Math.max(...times)).toISOString() }),
      };
    },

    async backlogOf(queue) {
      const { stats } = await describe(queue, 'activities', true);
      const { approximateBacklogCount, approximateBacklogAge } = stats ?? {};
      return { tasks: Number(approximateBacklogCount ?? 0), ageMs: approximateBacklogAge ? tsToMs(approximateBacklogAge) : 0 };
    },
  };
}
