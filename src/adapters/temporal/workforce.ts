import type { Client } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import type { Workforce } from '../../ports/workforce';
import { translating } from './errors';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = temporal.api.enums.v1.TaskQueueType;
const answerWithinMs = 10_000;

/** What the server knows of its queues. It forgets a poller after five minutes. */
export function createWorkforce(client: Client): Workforce {
  const { namespace } = client.options;
  const describe = (taskQueue: string, taskQueueType: typeof TASK_QUEUE_TYPE_ACTIVITY | typeof TASK_QUEUE_TYPE_WORKFLOW, reportStats = false) =>
    translating(() =>
      client.withDeadline(Date.now() + answerWithinMs, () => client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue }, taskQueueType, reportStats })),
    );

  return {
    async polledAtMs(taskQueue, kind) {
      const { pollers } = await describe(taskQueue, kind === 'activity' ? TASK_QUEUE_TYPE_ACTIVITY : TASK_QUEUE_TYPE_WORKFLOW);
      const times = pollers.flatMap(({ lastAccessTime }) => (lastAccessTime ? [tsToMs(lastAccessTime)] : []));
      return times.length > 0 ? Math.max(...times) : undefined;
    },

    async backlogOf(taskQueue) {
      const { stats } = await describe(taskQueue, TASK_QUEUE_TYPE_ACTIVITY, true);
      const { approximateBacklogCount, approximateBacklogAge } = stats ?? {};
      return { tasks: Number(approximateBacklogCount ?? 0), ageMs: approximateBacklogAge ? tsToMs(approximateBacklogAge) : 0 };
    },
  };
}
