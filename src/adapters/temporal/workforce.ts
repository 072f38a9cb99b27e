import type { Client } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import type { Workforce } from '../../ports/workforce';
import { translating } from './errors';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = temporal.api.enums.v1.TaskQueueType;
const answerWithinMs = 10_000;

/** What the server remembers of polls: it forgets a poller after five minutes. */
export const createWorkforce = (client: Client): Workforce => ({
  async polledAtMs(taskQueue, kind) {
    const { namespace } = client.options;
    const taskQueueType = kind === 'activity' ? TASK_QUEUE_TYPE_ACTIVITY : TASK_QUEUE_TYPE_WORKFLOW;
    const { pollers } = await translating(() =>
      client.withDeadline(Date.now() + answerWithinMs, () => client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue }, taskQueueType })),
    );
    const times = pollers.flatMap(({ lastAccessTime }) => (lastAccessTime ? [tsToMs(lastAccessTime)] : []));
    return times.length > 0 ? Math.max(...times) : undefined;
  },
});
