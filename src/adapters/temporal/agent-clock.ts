import { Client, type ScheduleDescription, type ScheduleOptions, type ScheduleSpec, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { DomainError } from '../../contracts/errors';
import { scheduleIds, scheduleOfJob, taskQueues, workflowIds } from '../../contracts/names';
import type { AgentSchedule, ScheduledRunInput, ScheduleTimes } from '../../contracts/schedule';
import { omit } from '../../domain/omit';
import { onceAt, wordsOf } from '../../domain/schedules';
import type { AgentClock, AgentClockState } from '../../ports/agent-schedules';
import { scheduledRunWorkflow } from '../../workflows/definitions';
import { tenantKey } from '../../workflows/search-attributes';
import { isInvalidArgument, translating, unlessMissing } from './errors';
import { listScheduleIdsOf } from './schedule-ids';
import { ifThere, unlessThere } from './schedules';

const answerWithinMs = 10_000;
const beginning = scheduleIds.of('', scheduleIds.agentJob('')).slice(1);

/** Scheduled agents. See docs/decisions/0091-scheduled-agents.md. */
export function createAgentClock(client: Client): AgentClock {
  const calling = <T>(call: () => Promise<T>) => translating(() => client.withDeadline(Date.now() + answerWithinMs, call));
  const handleOf = (tenantId: string, name: string) => client.schedule.getHandle(scheduleIds.of(tenantId, scheduleIds.agentJob(name)));
  /** Without keys, as a schedule of the maintenance: it holds names, and can be read by whoever sees the Temporal UI. */
  const open = new Client({ connection: client.connection, namespace: client.options.namespace });

  return {
    async set(tenantId, schedule, pausedNote) {
      const options = optionsOf(tenantId, schedule);
      const state = { paused: pausedNote !== undefined, note: pausedNote ?? wordsOf(schedule.times) };
      try {
        if (await calling(() => unlessThere(open.schedule.create({ ...options, state })))) return;
        // The handle of the client without keys: what it writes back can be read by everybody, too.
        await calling(() => open.schedule.getHandle(options.scheduleId).update(({ state: now }) => ({ ...options, state: state.paused || !now.paused ? state : { paused: true, note: now.note ?? '' } })));
      } catch (error) {
        if (isInvalidArgument(error)) throw new DomainError('schedule/invalid', 'Temporal does not take these times. Check the expression and the name of the time zone.', { cause: error });
        throw error;
      }
    },

    async state(tenantId, name) {
      const description = await calling(() => ifThere(handleOf(tenantId, name).describe()));
      return description && stateOf(name, description);
    },

    async names(tenantId) {
      const ids = await calling(() => listScheduleIdsOf(client, tenantId, beginning));
      return ids.flatMap((id) => scheduleOfJob(id.slice(scheduleIds.of(tenantId, '').length)) ?? []);
    },

    async pause(tenantId, name, note) {
      await calling(() => ifThere(handleOf(tenantId, name).pause(note)));
    },

    async resume(tenantId, name, note) {
      await calling(() => ifThere(handleOf(tenantId, name).unpause(note)));
    },

    async delete(tenantId, name, endsRuns) {
      const description = await calling(() => ifThere(handleOf(tenantId, name).describe()));
      if (!description) return;
      await calling(() => ifThere(handleOf(tenantId, name).delete()));
      if (!endsRuns) return;
      for (const { workflow } of description.info.runningActions) await unlessMissing(() => calling(() => client.workflow.getHandle(workflow.workflowId).terminate('its schedule was deleted')));
    },

    async run(tenantId, name, { runId, who }) {
      const workflowId = workflowIds.scheduledRunByHand(tenantId, name, runId);
      const { workflowType, ...action } = omit(actionOf(tenantId, name, { byHand: { runId } }), 'type');
      const start = { ...action, workflowId, workflowIdReusePolicy: 'REJECT_DUPLICATE', staticDetails: `Started by ${who}.`, memo: { who }, priority: { fairnessKey: tenantId } } as const;
      await calling(() => client.workflow.start(workflowType, start)).catch((error: unknown) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      });
      const { startTime } = await calling(() => client.workflow.getHandle(workflowId).describe());
      return { startedAt: startTime.toISOString() };
    },
  };
}

function optionsOf(tenantId: string, { name, times, overlap, catchUpSeconds, jitterSeconds }: AgentSchedule): Omit<ScheduleOptions, 'state'> {
  return {
    scheduleId: scheduleIds.of(tenantId, scheduleIds.agentJob(name)),
    spec: { ...specOf(times), jitter: jitterSeconds * 1_000 },
    policies: { overlap: overlap === 'skip' ? 'SKIP' : 'BUFFER_ONE', catchupWindow: catchUpSeconds * 1_000, pauseOnFailure: false },
    memo: { owner: tenantId, summary: `Scheduled agent ${name}` },
    typedSearchAttributes: [{ key: tenantKey, value: tenantId }],
    action: { ...actionOf(tenantId, name), workflowId: workflowIds.scheduledRun(tenantId, name) },
  };
}

/** What a schedule starts, and a person by hand. */
const actionOf = (tenantId: string, name: string, more: Pick<ScheduledRunInput, 'byHand'> = {}) => {
  const input: ScheduledRunInput = { tenantId, schedule: name, ...more };
  return {
    type: 'startWorkflow' as const,
    workflowType: scheduledRunWorkflow,
    // Workflows run on the shared queue; all they have done is done on the tenant's own.
    taskQueue: taskQueues.sessions,
    args: [input],
    staticSummary: `Scheduled agent ${name} (${tenantId})`,
    staticDetails: `Started by the schedule \`${scheduleIds.of(tenantId, scheduleIds.agentJob(name))}\`. Its session and its outcome are in the current details; the prompt is in the tenant's own table.`,
    typedSearchAttributes: [{ key: tenantKey, value: tenantId }],
  };
};

function specOf(times: ScheduleTimes): ScheduleSpec {
  if ('everySeconds' in times) return { intervals: [{ every: times.everySeconds * 1_000 }] };
  if ('cron' in times) return { cronExpressions: [times.cron], timezone: times.timeZone };
  const at = new Date(onceAt(times));
  return {
    calendars: [{ year: at.getUTCFullYear(), month: months[at.getUTCMonth()] ?? '*', dayOfMonth: at.getUTCDate(), hour: at.getUTCHours(), minute: at.getUTCMinutes(), second: at.getUTCSeconds() }],
    timezone: 'UTC',
  };
}

const months = ['JANUARY', 'FEBRUARY', 'MARCH', 'APRIL', 'MAY', 'JUNE', 'JULY', 'AUGUST', 'SEPTEMBER', 'OCTOBER', 'NOVEMBER', 'DECEMBER'] as const;

const stateOf = (name: string, { state, info }: ScheduleDescription): AgentClockState => ({
  name,
  paused: state.paused,
  note: state.note ?? '',
  ...(info.nextActionTimes[0] && !state.paused && { nextRunAt: info.nextActionTimes[0].toISOString() }),
});
