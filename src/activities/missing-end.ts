import { maxBatchEvents } from '../contracts/events';
import { batchKeys } from '../contracts/names';
import type { SessionRef } from '../contracts/session';
import { missingEnd } from '../domain/draining';
import type { SessionDirectory, SessionLog } from '../ports/session-store';

/**
 * Writes the end of a session whose workflow has ended without: nobody else would.
 * @returns whether a turn was cut off.
 * @throws DomainError `log/moved` when a lost attempt still wrote: the next look sees it.
 */
export async function closeRecord({ sessions, log }: { readonly sessions: SessionDirectory; readonly log: SessionLog }, session: SessionRef): Promise<boolean> {
  const events = await log.read(session, { after: 0 });
  const lacking = missingEnd(events);
  for (let written = 0, after = events.at(-1)?.seq ?? 0; written < lacking.length; written += maxBatchEvents) {
    const batch = lacking.slice(written, written + maxBatchEvents);
    after = (await log.append(session, { after, key: batchKeys.cutOff(after), events: batch, onlyAtHead: true })).head;
  }
  await sessions.close(session, new Date().toISOString());
  return lacking.some(({ type }) => type === 'turn.completed');
}
