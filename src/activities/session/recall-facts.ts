import { activityInfo, cancellationSignal, log } from '@temporalio/activity';
import { codeOf, errors } from '../../contracts/errors';
import type { EventBody, SessionEvent } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { AgentConfig } from '../../contracts/tenant';
import { yetToBegin } from '../../domain/beginnings';
import { maxQueryCharacters, shownFacts } from '../../domain/recalled-facts';
import { shortenedTo } from '../../domain/well-formed';
import { endingWith } from '../../ending';
import type { MemoryOwner } from '../../ports/memory';
import { record, type SessionStepDeps } from './deps';

export type RecalledFacts = Extract<SessionEvent, { type: 'facts.recalled' }>;

/** Where facts are put before the model. */
interface RecallingTurn extends MemoryOwner {
  readonly sessionId: string;
  readonly turnId: string;
  readonly after: number;
  /** Where they are in the log, once a step of the turn has found them. */
  readonly factsAt?: number;
  /** How the turn begins in the log; absent in a step that begins none. */
  readonly beginning: (() => Promise<{ readonly text: string; readonly events: readonly EventBody[] }>) | undefined;
}

/** The user waits: the memory has this long, its client's retries included. */
const mostMs = 3_000;

/**
 * What is remembered of the user and goes before the model in this turn. It is searched once, before the turn's first step, and noted in the log as the turn
 * begins: every attempt and every step that follows reads it there, whatever the memory says by then. A memory that does not answer is done without.
 *
 * @returns undefined for an agent that is shown none.
 */
export async function recalledFacts(deps: SessionStepDeps, turn: RecallingTurn, { memory }: AgentConfig): Promise<RecalledFacts | undefined> {
  const { tenantId, sessionId, turnId, after, factsAt, beginning } = turn;
  if (!memory?.retrieve) return undefined;
  const session = { tenantId, sessionId };
  if (factsAt !== undefined) return factsIn(await deps.log.read(session, { after: factsAt - 1, upTo: factsAt }));
  if (!beginning) return undefined;
  const key = batchKeys.factsRecalled(turnId);
  const earlier = activityInfo().attempt > 1 ? await deps.log.find(session, { after, key }) : undefined;
  if (earlier) return factsIn(earlier);
  const { text, events } = await beginning();
  const recalled: EventBody = { type: 'facts.recalled', turnId, ...(await search(deps, turn, { text, most: memory.retrieve.most })) };
  const batch = { after, key, events: [...events, recalled], notBehind: batchKeys.turnCompleted(turnId), unwritten: yetToBegin };
  return factsIn((await record(deps, session, batch)).events);
}

const factsIn = (events: readonly SessionEvent[]): RecalledFacts | undefined => events.find((event) => event.type === 'facts.recalled');

async function search({ memory }: SessionStepDeps, { tenantId, userId }: MemoryOwner, { text, most }: { text: string; most: number }): Promise<Pick<RecalledFacts, 'facts' | 'failure'>> {
  using ending = endingWith([cancellationSignal()], mostMs);
  try {
    const found = await Promise.race([memory.recall({ tenantId, userId }, { text: shortenedTo(text, maxQueryCharacters), limit: most }), aborted(ending.signal)]);
    return { facts: shownFacts(found, most) };
  } catch (error) {
    cancellationSignal().throwIfAborted();
    const failure = codeOf(error) ?? 'dependency/unavailable';
    log.warn('the turn goes on without what is remembered', { reason: errors[failure].title, error });
    return { facts: [], failure };
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
