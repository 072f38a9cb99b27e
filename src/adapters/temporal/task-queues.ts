import type { Client } from '@temporalio/client';
import { tsToDate } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import type { TaskQueues } from '../../ports/task-queues';
import { translating } from './errors';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = temporal.api.enums.v1.TaskQueueType;

const answerMs = 5_000;
/** A worker asks again within a minute; Temporal remembers it for five. */
const aliveMs = 90_000;

export const createTaskQueues = ({ connection, options: { namespace } }: Client): TaskQueues => ({
  async serviceOf(queue, kind) {
    const taskQueueType = kind === 'workflows' ? TASK_QUEUE_TYPE_WORKFLOW : TASK_QUEUE_TYPE_ACTIVITY;
    const { pollers } = await translating(() =>
      connection.withDeadline(Date.now() + answerMs, () => connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType })),
    );
    const times = pollers.map(({ lastAccessTime }) => tsToDate(lastAccessTime ?? {}).getTime());
    const lastMs = Math.max(...times);
    return {
      queue,
      pollers: times.filter((time) => Date.now() - time < aliveMs).length,
      ...(times.length > 0 && { lastPolledAt: new Date(lastMs).toISOString() }),
    };
  },
});
