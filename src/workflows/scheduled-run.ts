import { CancellationScope, continueAsNew, isCancellation, proxyActivities, setCurrentDetails, sleep, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import type { RunRef, RunTurn, ScheduledRunActivities, Settled } from '../activities/scheduled';
import { publicFailure } from '../contracts/errors';
import { plannedTime, taskQueues } from '../contracts/names';
import type { ScheduledRunInput } from '../contracts/schedule';

/** A turn is looked at after a second, then less and less often: people and budgets may keep it waiting for days. */
const firstLookMs = 1_000;
const rarestLookMs = 60_000;
/** Looks after which it may be that the session does not know of the turn. */
const looksBeforeLost = 6;

/** Carried over from the run of the workflow before. */
interface Under {
  readonly ref: RunRef;
  readonly turn: RunTurn;
  /** Of the session's log. */
  readonly seen: number;
  readonly looks: number;
}

/** One run of a scheduled agent: it hands the prompt to a session, waits for the end of the turn, and notes it. Its state is names; the texts are the tenant's. */
export async function scheduledRun(input: ScheduledRunInput & { readonly under?: Under }): Promise<Settled> {
  const activities = scheduledRunActivities(input.tenantId);
  const ref = input.under?.ref ?? refOf(input);
  if (input.under) return follow(activities, input, input.under);
  const begun = await begin(activities, ref);
  if ('ended' in begun) return end(activities, { ref, settled: begun.ended });
  return follow(activities, input, { ref, turn: begun.turn, seen: begun.turn.after, looks: 0 });
}

function refOf({ tenantId, schedule, byHand }: ScheduledRunInput): RunRef {
  const { runId, startTime } = workflowInfo();
  return { tenantId, schedule, runId: byHand?.runId ?? `run-${runId}`, startedAt: startTime.toISOString() };
}

/** What does not pass within an hour is how the run ends. */
async function begin(activities: Activities, ref: RunRef) {
  const plannedAt = plannedTime(workflowInfo().workflowId);
  setCurrentDetails(`Speaking with the agent${plannedAt === undefined ? '' : `, as it was planned for ${plannedAt}`}.`);
  try {
    return await activities.beginRun({ ...ref, ...(plannedAt !== undefined && { plannedAt: new Date(plannedAt).toISOString() }) });
  } catch (error) {
    if (isCancellation(error)) return { ended: { outcome: 'cancelled' as const, message: 'The run was cancelled before its turn began.' } };
    return { ended: { outcome: 'refused' as const, ...publicFailure(error, 'internal/bug') } };
  }
}

/** Waits for the end of the turn. Cancelled, it has the turn stopped, and waits for that. */
async function follow(activities: Activities, input: ScheduledRunInput, { ref, turn, ...under }: Under): Promise<Settled> {
  const { tenantId } = ref;
  setCurrentDetails(`Waiting for turn \`${turn.turnId}\` of session \`${turn.sessionId}\`.`);
  let { seen, looks } = under;
  const settle = async () => {
    for (; ; looks += 1) {
      const look = await activities.lookAtRun({ tenantId, turn, after: seen, mayBeLost: looks >= looksBeforeLost });
      if (look.settled) return end(activities, { ref, turn, settled: look.settled });
      seen = look.seen;
      await sleep(Math.min(firstLookMs * 2 ** looks, rarestLookMs));
      if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof scheduledRun>({ ...input, under: { ref, turn, seen, looks: looks + 1 } });
    }
  };
  try {
    return await settle();
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
  return CancellationScope.nonCancellable(async () => {
    await activities.stopRun({ tenantId, turn });
    looks = 0;
    return settle();
  });
}

async function end(activities: Activities, { ref, turn, settled }: { ref: RunRef; turn?: RunTurn; settled: Settled }): Promise<Settled> {
  await CancellationScope.nonCancellable(() => activities.endRun({ ...ref, ...(turn && { turn }), settled }));
  const where = turn ? ` Session \`${turn.sessionId}\`, turn \`${turn.turnId}\`.` : '';
  setCurrentDetails(`**${settled.outcome}**${settled.code === undefined ? '' : ` (\`${settled.code}\`)`}.${where}`);
  return settled;
}

type Activities = ReturnType<typeof scheduledRunActivities>;

/** On the tenant's own queue. */
function scheduledRunActivities(tenantId: string) {
  const base: ActivityOptions = { taskQueue: taskQueues.tenant(tenantId), heartbeatTimeout: '4 seconds', startToCloseTimeout: '1 minute', retry: { initialInterval: '1 second', maximumInterval: '30 seconds' } };
  const { beginRun } = proxyActivities<ScheduledRunActivities>({ ...base, scheduleToCloseTimeout: '1 hour', summary: 'Hand the prompt to the session' });
  const { lookAtRun } = proxyActivities<ScheduledRunActivities>({ ...base, summary: 'Whether its turn has ended' });
  const { stopRun } = proxyActivities<ScheduledRunActivities>({ ...base, summary: 'Stop its turn' });
  const { endRun } = proxyActivities<ScheduledRunActivities>({ ...base, summary: 'Note how it ended' });
  return { beginRun, lookAtRun, stopRun, endRun };
}
