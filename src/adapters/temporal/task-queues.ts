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

const { WORKER_VERSIONING_MODE_VERSIONED } = temporal.api.enums.v1.WorkerVersioningMode;

/** @returns undefined of a worker without one. */
const versionOf = (options: temporal.api.deployment.v1.IWorkerDeploymentOptions | null | undefined): string | undefined =>
  options?.workerVersioningMode === WORKER_VERSIONING_MODE_VERSIONED ? (options.buildId ?? undefined) : undefined;

/** What the server knows of its queues. */
export function createTaskQueues(client: Client): TaskQueues {
  const { namespace } = client.options;
  const describe = (queue: string, kind: keyof typeof types, reportStats = false) =>
    translating(() =>
      client.withDeadline(Date.now() + answerWithinMs, () => client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType: types[kind], reportStats })),
    );

  return {
    async serviceOf(queue, kind) {
      const { pollers, versioningInfo } = await describe(queue, kind);
      const asked = pollers.map(({ lastAccessTime, deploymentOptions }) => ({ atMs: lastAccessTime ? tsToMs(lastAccessTime) : 0, version: versionOf(deploymentOptions) }));
      const alive = asked.filter(({ atMs }) => Date.now() - atMs < aliveMs);
      const { currentDeploymentVersion: current, rampingDeploymentVersion: ramping } = versioningInfo ?? {};
      const isGivenWork = (version: string | undefined) => version === (current?.buildId ?? undefined) || (ramping != null && version === ramping.buildId);
      const idleVersions = new Set(alive.flatMap(({ version }) => (version === undefined || isGivenWork(version) ? [] : [version])));
      return {
        queue,
        pollers: alive.filter(({ version }) => isGivenWork(version)).length,
        ...(idleVersions.size > 0 && { idleVersions: [...idleVersions] }),
        ...(asked.length > 0 && { lastPolledAt: new Date(Math.max(...asked.map(({ atMs }) => atMs))).toISOString() }),
      };
    },

    async backlogOf(queue) {
      const { stats } = await describe(queue, 'activities', true);
      const { approximateBacklogCount, approximateBacklogAge } = stats ?? {};
      return { tasks: Number(approximateBacklogCount ?? 0), ageMs: approximateBacklogAge ? tsToMs(approximateBacklogAge) : 0 };
    },
  };
}
