import { type ReplayResult, Worker, type WorkflowBundle } from '@temporalio/worker';

/** What a workflow did: `history` as the client fetches it, or as it was exported to JSON. */
export interface WorkflowHistory {
  readonly workflowId: string;
  readonly history: unknown;
}

/** Replays all on one worker, which has the code loaded once. @returns what each came to, in their order. */
export async function replayed(workflowBundle: WorkflowBundle, histories: readonly WorkflowHistory[]): Promise<ReplayResult[]> {
  const results: ReplayResult[] = [];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) results.push(result);
  return results;
}

/** @throws Error that names those that today's code would not have made, or when one was not replayed at all. */
export async function replayAll(workflowBundle: WorkflowBundle, histories: readonly WorkflowHistory[]): Promise<void> {
  const results = await replayed(workflowBundle, histories);
  const failed = results.filter(({ error }) => error !== undefined).map(({ workflowId, error }) => `${workflowId}: ${String(error)}`);
  if (failed.length > 0) throw new Error(`These do not replay:\n${failed.join('\n')}`);
  if (results.length !== histories.length) throw new Error(`${histories.length} histories, of which ${results.length} were replayed.`);
}
