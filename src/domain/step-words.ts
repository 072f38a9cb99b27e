import { type EventBody, isDelta, type LiveEntry } from '../contracts/events';

/** The words of a step, as far as they have come. */
export interface StepWords {
  /** The event they come behind, with which the step began or began anew; undefined: not known yet. */
  readonly after: number | undefined;
  /** How many there are. */
  readonly n: number;
}

const besideSteps: ReadonlySet<EventBody['type']> = new Set<EventBody['type']>(['turn.queued', 'facts.extracted', 'facts.skipped', 'approval.notified', 'usage.wasted']);

/** Whether an event is written whatever the session is at: in the middle of a step it ends none of its words, as all others do. */
export const isBesideSteps = (event: EventBody): boolean => besideSteps.has(event.type) || ('purpose' in event && event.purpose === 'extraction');

/** What an entry makes of the words before it: what comes late or twice leaves them as they are. */
export function wordsWith(words: StepWords, entry: LiveEntry): StepWords {
  const { after = 0, n } = words;
  if (isDelta(entry)) return entry.afterSeq > after || (entry.afterSeq === after && entry.n > n) ? { after: entry.afterSeq, n: entry.n } : words;
  return isBesideSteps(entry) || entry.seq <= after ? words : { after: entry.seq, n: 0 };
}
