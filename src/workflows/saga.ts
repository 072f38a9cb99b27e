import { CancellationScope, TemporalFailure } from '@temporalio/workflow';

export interface Undo<Step extends string = string> {
  readonly step: Step;
  /** Idempotent: the step may have taken effect, in part or not at all. */
  readonly run: () => Promise<void>;
}

/**
 * Runs the body; when it fails or is cancelled, undoes what it registered, newest first, and fails as it did. Register
 * an undo before its step: a step that timed out may still have taken effect.
 *
 * @param undoing - carries out one undo and returns when it is done; cancelling does not reach it.
 * @throws what the body threw. A bug in the workflow's own code undoes nothing: it holds the workflow until it is mended.
 */
export async function saga<Step extends string>(
  body: (register: (undo: Undo<Step>) => void) => Promise<void>,
  undoing: { begin(error: unknown): void; undo(undo: Undo<Step>): Promise<void> },
): Promise<void> {
  const undos: Undo<Step>[] = [];
  try {
    await body((undo) => undos.unshift(undo));
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    undoing.begin(error);
    await CancellationScope.nonCancellable(async () => {
      for (const undo of undos) await undoing.undo(undo);
    });
    throw error;
  }
}
