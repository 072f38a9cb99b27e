import type { SessionEvent } from '../contracts/events';
import { compactedUpTo } from '../contracts/names';
import type { Compaction } from './compaction';

/** What a log tells of its session without being opened: its batches' places and keys (`batchKeys`). */
export interface LogPast {
  readonly head: number;
  readonly turnCount: number;
  /** The last turns that began, and the end of the log before each. */
  readonly turns: readonly { readonly turnId: string; readonly after: number }[];
  /** Where waiting turns were announced, since the first of those turns. */
  readonly queuedAt: readonly number[];
  readonly isClosed: boolean;
  /** The last one. */
  readonly compaction?: Compaction;
}

/** Where a session stands, as its workflow takes it up. */
export interface PickedUp {
  /** Of a closed session: before its last event, so that closing it again finds that. */
  readonly head: number;
  readonly turnCount: number;
  readonly turnStarts: readonly number[];
  readonly seen: readonly (readonly [string, number])[];
  readonly isClosed: boolean;
  readonly compaction?: Compaction;
}

/**
 * Whether a log tells of more than its session's workflow knows of, whose first turn this is: then that has a past, of before its tenant was restored.
 * An earlier attempt may have begun the turn, and those that wait behind it may have been announced.
 *
 * @param events - the first of the log.
 */
export const tellsOfMore = (events: readonly SessionEvent[], turnId: string): boolean => events.some((event) => 'turnId' in event && event.turnId !== turnId && event.type !== 'turn.queued');

/** As many as a workflow remembers. */
const maxTurns = 256;
/** As many as a model may be shown. */
const maxTurnStarts = 100;

/** Goes once through all batches, oldest first, and remembers the last turns. */
export async function pastOf(batches: AsyncIterable<{ firstSeq: number; count: number; key: string }>): Promise<LogPast> {
  let turns: LogPast['turns'][number][] = [];
  let queuedAt: number[] = [];
  let turnCount = 0;
  let head = 0;
  let isClosed = false;
  let compaction: Compaction | undefined;
  for await (const { firstSeq, count, key } of batches) {
    const [turnId = '', part = ''] = key.split('/');
    const upTo = compactedUpTo(key);
    if (upTo !== undefined) compaction = { at: firstSeq, upTo };
    if (key === 'session/closed') isClosed = true;
    else if (part === 'queued') queuedAt = [...queuedAt.filter((seq) => seq > (turns[0]?.after ?? 0)), firstSeq];
    // What a fork notes behind what it begins with is no turn.
    else if (turnId !== 'session' && turns.at(-1)?.turnId !== turnId && !turns.some((turn) => turn.turnId === turnId)) {
      turns = [...turns, { turnId, after: firstSeq - 1 }].slice(-maxTurns);
      turnCount += 1;
    }
    head = isClosed ? firstSeq - 1 : firstSeq + count - 1;
  }
  return { head, turnCount, turns, queuedAt, isClosed, ...(compaction && { compaction }) };
}

export const stateOf = ({ turns, turnCount, isClosed, compaction }: LogPast, head: number): PickedUp => ({
  head,
  turnCount,
  turnStarts: turns.slice(-maxTurnStarts).map(({ after }) => after),
  seen: turns.map(({ turnId, after }) => [turnId, after] as const),
  isClosed,
  ...(compaction && { compaction }),
});
