import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { EventBody } from '../../src/contracts/events';
import { submitMessage } from '../../src/workflows/definitions';
import type { FuzzedLog } from './log';

type History = temporal.api.history.v1.IHistory;

/** One run of a workflow, as Temporal keeps it. */
export interface WorkflowRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly history: History;
}

const unhandledCommand = temporal.api.enums.v1.WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;

/** Oldest first. */
export async function runsOf(client: Client, workflowId: string): Promise<WorkflowRun[]> {
  const runs: WorkflowRun[] = [];
  let { runId } = await client.workflow.getHandle(workflowId).describe();
  while (runId !== '') {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    runs.unshift({ workflowId, runId, history });
    runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
  }
  return runs;
}

/** Tasks that failed, other than for what came while the workflow wanted to end: Temporal has those done again. And runs that are too long. */
export function problemsOfRuns(runs: readonly WorkflowRun[], mostEvents: number): string[] {
  return runs.flatMap(({ workflowId, runId, history }) => {
    const events = history.events ?? [];
    const failed = events.flatMap(({ workflowTaskFailedEventAttributes: failure }) => (failure && failure.cause !== unhandledCommand ? [`a workflow task failed: ${temporal.api.enums.v1.WorkflowTaskFailedCause[failure.cause ?? 0]} ${wordsOf(failure.failure)}`] : []));
    return [...new Set(failed), ...(events.length > mostEvents ? [`a run of ${events.length} events`] : [])].map((problem) => `${workflowId} ${runId}: ${problem}`);
  });
}

function wordsOf(failure: temporal.api.failure.v1.IFailure | null | undefined): string {
  const encoded = failure?.encodedAttributes?.data;
  return `${failure?.message ?? ''} ${encoded ? Buffer.from(encoded).toString() : ''}`.slice(0, 400);
}

/** Messages in the order in which the session took them. */
function takenTurns(runs: readonly WorkflowRun[]): { turnId: string; onBusy: string }[] {
  const requests = runs.flatMap(({ history }) => (history.events ?? []).map((event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input).filter((input) => input?.name === submitMessage.name));
  const taken = requests.map((input) => JSON.parse(Buffer.from(input?.args?.payloads?.[0]?.data ?? []).toString()) as { turnId: string; onBusy: string });
  // One that was sent again.
  return taken.filter(({ turnId }, index) => taken.findIndex((other) => other.turnId === turnId) === index);
}

/** What a session's log must be like when nothing is under way. @param heard - turns whose senders were told that they were taken; an errand has its own one. */
export function problemsOfLog(log: FuzzedLog, runs: readonly WorkflowRun[], heard: ReadonlySet<string>, errand?: string): string[] {
  const problems = [...log.problems];
  const mustBe = (isSo: boolean, problem: string) => {
    if (!isSo) problems.push(problem);
  };
  const taken = errand === undefined ? takenTurns(runs) : [{ turnId: errand, onBusy: 'enqueue' }];
  const ended = log.of('turn.completed').map(({ turnId }) => turnId);
  const joined = log.of('turn.steered').map(({ messageId }) => messageId);
  mustBe(same([...ended, ...joined], taken.map(({ turnId }) => turnId)), `taken: ${taken.map(({ turnId }) => turnId).join(' ')}; ended: ${ended.join(' ')}; joined another: ${joined.join(' ')}`);
  for (const turnId of heard) mustBe(taken.some((turn) => turn.turnId === turnId), `${turnId} was taken, and is in no history`);
  for (const kinds of [['enqueue', 'reject'], ['interrupt']]) {
    const inOrder = taken.filter(({ onBusy }) => kinds.includes(onBusy)).map(({ turnId }) => turnId);
    const answered = ended.filter((turnId) => inOrder.includes(turnId));
    mustBe(answered.join() === inOrder.filter((turnId) => answered.includes(turnId)).join(), `${kinds.join(', ')} came as ${inOrder.join(' ')} and were answered as ${answered.join(' ')}`);
  }
  const once: readonly (readonly [EventBody['type'], (event: EventBody) => string])[] = [
    ['turn.queued', turnOf],
    ['turn.started', turnOf],
    ['step.started', stepOf],
    ['message.completed', stepOf],
    ['tool.started', callOf],
  ];
  for (const [type, keyOf] of once) {
    const keys = log.of(type).map(keyOf);
    mustBe(new Set(keys).size === keys.length, `${type} more than once: ${keys.join(' ')}`);
  }
  mustBe(same([...log.of('tool.completed'), ...log.of('tool.failed')].map(callOf), log.of('tool.requested').map(callOf)), 'not every call has one result');
  mustBe(same(log.of('approval.decided').map(({ approvalId }) => approvalId), log.of('approval.requested').map(({ approvalId }) => approvalId)), 'not every approval has one end');
  mustBe(same([...log.of('question.answered'), ...log.of('question.closed')].map(({ questionId }) => questionId), log.of('question.asked').map(({ questionId }) => questionId)), 'not every question has one end');
  const undone = log.of('tool.undone').map(callOf);
  mustBe(new Set(undone).size === undone.length, `taken back more than once: ${undone.join(' ')}`);
  mustBe(log.all.at(-1)?.type === 'session.closed', 'its log does not end with its end');
  return problems;
}

const turnOf = (event: EventBody) => ('turnId' in event ? event.turnId : '');
const stepOf = (event: EventBody) => `${turnOf(event)}/${'step' in event ? event.step : ''}`;
const callOf = (event: EventBody) => ('callId' in event ? event.callId : '');
const same = (some: readonly string[], others: readonly string[]) => [...some].sort().join() === [...others].sort().join();
