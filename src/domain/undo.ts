import type { SessionEvent } from '../contracts/events';
import type { UndoCall } from './session';
import { callKey } from './transcript';

/** Of calls that cannot be taken back this is said once. */
const noUndo = 'tool/no-undo';

/** A call of a turn that may have left something behind, and whether the log says already that it cannot be taken back. */
export interface UndoCandidate extends UndoCall {
  readonly isReported: boolean;
}

/**
 * Calls of a turn that were done, or of which nobody knows whether they were, newest first; without those that were taken back, and those with which this request has failed.
 * @param log - of the turn, and of what was taken back of it; oldest first.
 */
export function undoCandidates(log: readonly SessionEvent[], { turnId, undoId }: { turnId: string; undoId: string }): UndoCandidate[] {
  const events = log.filter((event) => 'turnId' in event && event.turnId === turnId);
  const settled = new Set(events.flatMap((event) => (event.type === 'tool.undone' || (event.type === 'tool.undo-failed' && event.undoId === undoId) ? [callKey(event)] : [])));
  const reported = new Set(events.flatMap((event) => (event.type === 'tool.undo-failed' && event.code === noUndo ? [callKey(event)] : [])));
  const requests = new Map(events.flatMap((event) => (event.type === 'tool.requested' ? [[callKey(event), event.seq] as const] : [])));
  const edits = new Map(events.flatMap((event) => (event.type === 'approval.requested' && event.arguments !== undefined ? [[callKey(event), event.seq] as const] : [])));
  return events
    .filter((event) => event.type === 'tool.completed' || event.type === 'tool.failed')
    .filter((event) => event.type === 'tool.completed' || event.code === 'tool/outcome-unknown')
    .flatMap((event): UndoCandidate[] => {
      const key = callKey(event);
      const [requestedAt, inputAt] = [requests.get(key), edits.get(key)];
      if (requestedAt === undefined || settled.has(key)) return [];
      const { callId, step, tool, seq: doneAt } = event;
      return [{ callId, step, tool, requestedAt, ...(inputAt !== undefined && { inputAt }), doneAt, isReported: reported.has(key) }];
    })
    .reverse();
}

/** What one request has come to. */
export function tallyOf(log: readonly SessionEvent[], undoId: string): { undone: number; failed: number } {
  const count = (type: 'tool.undone' | 'tool.undo-failed') => log.filter((event) => event.type === type && event.undoId === undoId).length;
  return { undone: count('tool.undone'), failed: count('tool.undo-failed') };
}
