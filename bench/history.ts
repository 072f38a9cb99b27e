import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Arm, Conversation } from './arms/arm';
import { median } from './measure';

export interface HistoryCost {
  readonly arm: Arm['name'];
  readonly eventsPerTurn: number;
  readonly bytesPerTurn: number;
  /** Median milliseconds from the first event of a turn to each of its later ones, in order. */
  readonly stages: readonly { readonly stage: string; readonly ms: number }[];
}

/** Two runs of a session. */
const turns = 36;

/** What a turn leaves in Temporal, and where its time goes between the server's own timestamps. */
export async function historyCost(arm: Arm, client: Client, prompt: string): Promise<HistoryCost | undefined> {
  const conversation: Conversation = await arm.openSession();
  if (conversation.workflowId === undefined) return undefined;
  await conversation.ask(prompt);
  const { workflowId } = conversation;
  const { runId, ...before } = await client.workflow.getHandle(workflowId).describe();
  for (let turn = 0; turn < turns; turn += 1) await conversation.ask(prompt);
  const runs = await runsSince(client, workflowId, runId);
  const total = (figure: (run: Run) => number) => runs.reduce((sum, run) => sum + figure(run), 0);
  return {
    arm: arm.name,
    eventsPerTurn: (total(({ events }) => events.length) - before.historyLength) / turns,
    bytesPerTurn: (total(({ bytes }) => bytes) - (before.historySize ?? 0)) / turns,
    stages: stagesOf(runs.flatMap(({ events }) => events)),
  };
}

interface Run {
  readonly events: readonly temporal.api.history.v1.IHistoryEvent[];
  readonly bytes: number;
}

/** That run and those it continued as: what a roll-over costs is part of what turns cost. */
async function runsSince(client: Client, workflowId: string, runId: string): Promise<Run[]> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const [{ events }, { historySize }] = await Promise.all([handle.fetchHistory(), handle.describe()]);
  const next = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  return [{ events: events ?? [], bytes: historySize ?? 0 }, ...(next ? await runsSince(client, workflowId, next) : [])];
}

const eventTypes: Readonly<Record<number, string>> = {
  5: 'workflow task scheduled',
  6: 'workflow task started',
  7: 'workflow task completed',
  10: 'activity scheduled',
  11: 'activity started',
  12: 'activity completed',
  41: 'update accepted',
  43: 'update completed',
};

/** Turns are found by their updates; those of one shape are compared event by event. */
function stagesOf(events: Run['events']): { stage: string; ms: number }[] {
  const timed = events.map((event) => ({
    type: eventTypes[event.eventType ?? 0] ?? String(event.eventType),
    atMs: Number(event.eventTime?.seconds ?? 0) * 1_000 + (event.eventTime?.nanos ?? 0) / 1e6,
  }));
  const starts = timed.flatMap(({ type }, index) => (type === 'update accepted' ? [index] : []));
  const slices = starts.map((start, turn) => timed.slice(start, starts[turn + 1]));
  const shape = slices[Math.floor(slices.length / 2)]?.map(({ type }) => type).join();
  const alike = slices.filter((slice) => slice.map(({ type }) => type).join() === shape);
  return (alike[0] ?? []).slice(1).map(({ type }, index) => ({
    stage: `${alike[0]?.[index]?.type ?? ''} → ${type}`,
    ms: median(alike.map((slice) => (slice[index + 1]?.atMs ?? 0) - (slice[index]?.atMs ?? 0))),
  }));
}

export const historyTables = (histories: readonly HistoryCost[]): string[] => [
  '#### What a turn leaves in history',
  '| arm | events | bytes |',
  '|---|---|---|',
  ...histories.map(({ arm, eventsPerTurn, bytesPerTurn }) => `| ${arm} | ${eventsPerTurn.toFixed(1)} | ${bytesPerTurn.toFixed(0)} |`),
  '',
  '#### Where a turn goes, by the server’s clock (one client, median ms)',
  ...histories.flatMap(({ arm, stages }) => ['', `**${arm}**`, '', '| from → to | ms |', '|---|---|', ...stages.map(({ stage, ms }) => `| ${stage} | ${ms.toFixed(1)} |`)]),
  '',
];
