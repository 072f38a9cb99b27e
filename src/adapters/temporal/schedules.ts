import { setTimeout as delay } from 'node:timers/promises';
import {
  Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionInfo,
  type WorkflowExecutionStatusName,
} from '@temporalio/client';
import { DomainError } from '../../contracts/errors';
import type { MaintenanceRun, PausedSchedule } from '../../contracts/maintenance';
import { type MaintenanceJobName, maintenanceJobs, scheduleIds, searchAttributes, taskQueues, tenantOfWork, workflowIds } from '../../contracts/names';
import { jobsOf, type MaintenanceJob } from '../../domain/maintenance';
import type { Schedules, ScheduleState } from '../../ports/schedules';
import { startedByHand } from '../../workflows/definitions';
import { tenantKey } from '../../workflows/search-attributes';
import { translating, unlessMissing } from './errors';

const answerWithinMs = 10_000;
const lookAgainMs = 50;

/** What runs by the clock. See docs/decisions/0034-maintenance-schedules.md. */
export function createSchedules(client: Client): Schedules {
  const calling: Calling = (call) => translating(() => client.withDeadline(Date.now() + answerWithinMs, call));
  const handleOf = (owner: string, name: MaintenanceJobName) => client.schedule.getHandle(scheduleIds.of(owner, name));
  const namesOf = (owner: string) => [...jobsOf(owner).keys()];

  /** Without keys: a schedule, and what it starts by the clock, hold ids only, and can be read by whoever sees the Temporal UI. */
  const open = new Client({ connection: client.connection, namespace: client.options.namespace });

  const describe = (owner: string, name: MaintenanceJobName) => calling(() => ifThere(handleOf(owner, name).describe()));

  const steer: Steer = async (owner, name, change) => {
    const found = await calling(() => ifThere(change(handleOf(owner, name)).then(() => true)));
    if (!found) throw new DomainError('maintenance/not-found', `There is no schedule ${scheduleIds.of(owner, name)}.`);
  };

  return {
    async ensure(owner, paused = []) {
      const created: MaintenanceJobName[] = [];
      for (const [name, job] of jobsOf(owner)) {
        const isNew = await calling(() => unlessThere(open.schedule.create(optionsOf({ owner, name, job, paused: paused.find((one) => one.name === name) }))));
        if (isNew) created.push(name);
      }
      return created;
    },

    async list(owner) {
      const found = await Promise.all(namesOf(owner).map(async (name) => ({ name, description: await describe(owner, name) })));
      return found.flatMap(({ name, description }) => (description ? [stateOf(name, description)] : []));
    },

    async delete(owner) {
      for (const name of namesOf(owner)) {
        const description = await describe(owner, name);
        if (!description) continue;
        await calling(() => ifThere(handleOf(owner, name).delete()));
        const started = [...description.info.runningActions.map(({ workflow }) => workflow.workflowId), workflowIds.maintenanceByHand(owner, name)];
        for (const workflowId of started) await unlessMissing(() => calling(() => client.workflow.getHandle(workflowId).terminate('its schedule was deleted')));
      }
    },

    pause: (owner, name, note) => steer(owner, name, (handle) => handle.pause(note)),
    resume: (owner, name, note) => steer(owner, name, (handle) => handle.unpause(note)),

    ...createRuns(client, { calling, describe, steer }),
  };
}

type Calling = <T>(call: () => Promise<T>) => Promise<T>;
type Steer = (owner: string, name: MaintenanceJobName, change: (handle: ScheduleHandle) => Promise<void>) => Promise<void>;

interface Reach {
  readonly calling: Calling;
  readonly describe: (owner: string, name: MaintenanceJobName) => Promise<ScheduleDescription | undefined>;
  readonly steer: Steer;
}

/** Runs of the jobs: those an operator wants, and what became of the last. See docs/decisions/0048-runs-by-hand-and-open-schedules.md. */
function createRuns(client: Client, { calling, describe, steer }: Reach): Pick<Schedules, 'run' | 'lastRun'> {
  const isRunning = async (workflowId: string) => (await unlessMissing(() => calling(() => client.workflow.getHandle(workflowId).describe())))?.status.name === 'RUNNING';

  /** Has the schedule start a run, as the clock would. @param before - the schedule as it was. */
  async function triggered(owner: string, name: MaintenanceJobName, before: ScheduleDescription): Promise<MaintenanceRun> {
    const runIdOf = ({ action }: ScheduleDescription['info']['recentActions'][number]) => action.workflow.firstExecutionRunId;
    const known = new Set(before.info.recentActions.map(runIdOf));
    await steer(owner, name, (handle) => handle.trigger('SKIP'));
    for (const giveUpAtMs = performance.now() + answerWithinMs; ; ) {
      const info = (await describe(owner, name))?.info;
      const run = info?.recentActions.find((action) => !known.has(runIdOf(action)));
      if (run) return { workflowId: run.action.workflow.workflowId, startedAt: run.takenAt.toISOString(), outcome: 'running' };
      if ((info?.numActionsSkippedOverlap ?? 0) > before.info.numActionsSkippedOverlap) throw runsAlready(owner, name);
      if (performance.now() > giveUpAtMs) throw new DomainError('dependency/unavailable', `Temporal has not started ${name} of ${owner} yet: see whether it runs before you try again.`);
      await delay(lookAgainMs);
    }
  }

  /** A schedule cannot pass on what a run is asked: it is a run beside it, of which there is one at a time. */
  async function runAsked({ owner, name, job }: Omit<NewSchedule, 'paused'>, { who, why, request }: Parameters<Schedules['run']>[2]): Promise<MaintenanceRun> {
    const workflowId = workflowIds.maintenanceByHand(owner, name);
    const action = actionOf({ owner, name, job });
    const start = { ...action, workflowId, args: [{ ...action.args[0], ...request }], staticDetails: `Started by ${who}: ${why}`, memo: { who, why } };
    try {
      await calling(() => client.workflow.start(action.workflowType, { ...start, workflowIdConflictPolicy: 'FAIL', workflowIdReusePolicy: 'ALLOW_DUPLICATE' }));
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) throw runsAlready(owner, name);
      throw error;
    }
    return { workflowId, startedAt: new Date().toISOString(), outcome: 'running' };
  }

  return {
    async run(owner, name, { who, why, request }) {
      const job = jobsOf(owner).get(name);
      const description = job && (await describe(owner, name));
      if (!description) throw new DomainError('maintenance/not-found', `There is no schedule ${scheduleIds.of(owner, name)}.`);
      if (description.info.runningActions.length > 0 || (await isRunning(workflowIds.maintenanceByHand(owner, name)))) throw runsAlready(owner, name);
      if (Object.keys(request).length > 0) return runAsked({ owner, name, job }, { who, why, request });
      const run = await triggered(owner, name, description);
      // In its history for whoever looks it up; one that is over by now was seen by nobody.
      await unlessMissing(() => calling(() => client.workflow.getHandle(run.workflowId).signal(startedByHand, { who, why })));
      return run;
    },

    async lastRun(owner, name) {
      const tenantId = tenantOfWork(scheduleIds.of(owner, name));
      const query = [`WorkflowType="${maintenanceJobs[name]}"`, ...(tenantId === undefined ? [] : [`${searchAttributes.tenantId}="${tenantId}"`])].join(' AND ');
      return calling(async () => {
        for await (const run of client.workflow.list({ query, pageSize: 1 })) return runOf(run);
        return undefined;
      });
    },
  };
}

/** Undefined when there is no such schedule. */
export async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** @returns false when there was one already. */
export async function unlessThere(creation: Promise<unknown>): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

interface NewSchedule {
  readonly owner: string;
  readonly name: MaintenanceJobName;
  readonly job: MaintenanceJob;
  readonly paused: PausedSchedule | undefined;
}

function optionsOf({ owner, name, job, paused }: NewSchedule): ScheduleOptions {
  return {
    scheduleId: scheduleIds.of(owner, name),
    spec: { cronExpressions: [`${job.cron} # ${job.summary}`], jitter: job.jitterMs },
    // A run that takes longer than to the next one is let finish: each does what the one it skipped would have done.
    policies: { overlap: 'SKIP', catchupWindow: job.catchupWindowMs, pauseOnFailure: false },
    state: { paused: paused !== undefined, note: paused?.note ?? job.summary },
    memo: { owner, summary: job.summary },
    ...attributesOf(owner, name),
    action: actionOf({ owner, name, job }),
  };
}

/** What a schedule starts, and an operator by hand. */
function actionOf({ owner, name, job }: Omit<NewSchedule, 'paused'>) {
  const tenantId = tenantOfWork(scheduleIds.of(owner, name));
  return {
    type: 'startWorkflow' as const,
    workflowType: maintenanceJobs[name],
    workflowId: workflowIds.maintenance(owner, name),
    taskQueue: taskQueues.maintenance,
    args: [tenantId === undefined ? {} : { tenantId }],
    staticSummary: `${job.summary} (${owner})`,
    staticDetails: `Started by the schedule \`${scheduleIds.of(owner, name)}\`. What it found is in the current details.`,
    ...attributesOf(owner, name),
  };
}

function attributesOf(owner: string, name: MaintenanceJobName) {
  const tenantId = tenantOfWork(scheduleIds.of(owner, name));
  return tenantId === undefined ? {} : { typedSearchAttributes: [{ key: tenantKey, value: tenantId }] };
}

const runsAlready = (owner: string, name: MaintenanceJobName) => new DomainError('maintenance/running', `${name} of ${owner} runs now. Wait for it to end.`);

const outcomes: Readonly<Partial<Record<WorkflowExecutionStatusName, MaintenanceRun['outcome']>>> = {
  RUNNING: 'running',
  CONTINUED_AS_NEW: 'running',
  COMPLETED: 'completed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed_out',
};

const runOf = ({ workflowId, startTime, closeTime, status }: WorkflowExecutionInfo): MaintenanceRun => ({
  workflowId,
  startedAt: startTime.toISOString(),
  ...(closeTime && { finishedAt: closeTime.toISOString() }),
  outcome: outcomes[status.name] ?? 'failed',
});

const stateOf = (name: MaintenanceJobName, { state, info }: ScheduleDescription): ScheduleState => ({
  name,
  paused: state.paused,
  note: state.note ?? '',
  ...(info.nextActionTimes[0] && !state.paused && { nextRunAt: info.nextActionTimes[0].toISOString() }),
  running: info.runningActions.map(({ workflow }) => workflow.workflowId),
});
