import type { EventBody, SessionEvent } from '../../contracts/events';
import type { SessionRef } from '../../contracts/session';
import type { Compaction } from '../../domain/compaction';
import { type AttachedContents, shownAttachments } from '../../domain/attachments';
import { type Summary, withheldTurns } from '../../domain/transcript';
import type { Attachments } from '../../ports/attachments';
import type { SessionLog } from '../../ports/session-store';

/** How much of a session's log the model is to read. */
export interface HistoryRange extends SessionRef {
  readonly after: number;
  /** The model is shown what comes after it. */
  readonly historyStart: number;
  /** The last time that the history was summarised. */
  readonly compaction?: Compaction;
}

export interface History {
  /** Stands for all before the events. */
  readonly summary?: Summary;
  readonly events: readonly SessionEvent[];
}

/** The last summary, and what came after all that it stands for: both are at hand in a process that has worked on the session. */
export async function readHistory(log: SessionLog, { tenantId, sessionId, after, historyStart, compaction }: HistoryRange): Promise<History> {
  const session = { tenantId, sessionId };
  const from = Math.max(historyStart, compaction?.upTo ?? 0);
  const events = await log.read(session, { after: from, upTo: after });
  if (!compaction) return { events };
  // It may be written behind some of what it does not stand for.
  const isAmong = compaction.at > from && compaction.at <= after;
  const [summary] = isAmong ? events.filter(({ seq }) => seq === compaction.at) : await log.read(session, { after: compaction.at - 1, upTo: compaction.at });
  if (summary?.type !== 'history.compacted') throw new TypeError(`Event ${compaction.at} of session ${sessionId} is no summary`);
  return { summary, events };
}

/** Reads the images and documents that go along with a request. What is gone by now is left out: then it is only named. */
export async function readAttached(attachments: Pick<Attachments, 'read'>, { tenantId, sessionId }: SessionRef, { summary, events }: History, opening: readonly EventBody[]): Promise<AttachedContents> {
  const read = [...events, ...opening];
  const contents = await Promise.all(
    shownAttachments(read, summary, withheldTurns(read)).map(async (attachment) => {
      const content = await attachments.read({ tenantId, sessionId }, attachment.attachmentId);
      return content ? [[attachment, content] as const] : [];
    }),
  );
  return new Map(contents.flat());
}
