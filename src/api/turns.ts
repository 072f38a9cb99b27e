import { DomainError, errors, isErrorCode } from '../contracts/errors';
import type { SessionEvent, Usage } from '../contracts/events';
import type { JsonValue } from '../contracts/model';
import type { SessionRef, TurnOutcome } from '../contracts/session';
import { endingWith } from '../ending';
import type { LiveEvents } from '../ports/live-events';
import type { SessionLog } from '../ports/session-store';
import type { Said } from './conversations';
import { sessionFeed, type Told } from './session-feed';

export interface TurnAnswer {
  readonly answer: string;
  readonly outcome: TurnOutcome;
  /** Why a turn that came to an answer is not quite as it should be: `model/cut-off`, or what stopped it. */
  readonly code?: string;
  readonly usage: Usage;
  /** What the answer says, of an agent with a schema. */
  readonly value?: JsonValue;
}

export interface TurnsDeps {
  readonly log: SessionLog;
  readonly live: LiveEvents;
}

/** The entries of one turn as they come, its `turn.completed` the last; of a message that joined the running turn, those of that turn from there on. `idle` also in place of what is another's. */
export async function* followTurn({ log, live }: TurnsDeps, { tenantId }: Pick<SessionRef, 'tenantId'>, { sessionId, turnId, after }: Said, signal: AbortSignal): AsyncGenerator<Told | 'idle'> {
  let followed = turnId;
  for await (const told of sessionFeed({ session: { tenantId, sessionId }, cursor: { seq: after, n: 0 }, isAtHead: true, log, live, signal })) {
    const entry = told === 'idle' ? undefined : told.entry;
    if (entry?.type === 'turn.steered' && entry.messageId === turnId) followed = entry.turnId;
    const isAnothers = entry && 'turnId' in entry && entry.turnId !== followed;
    yield isAnothers ? 'idle' : told;
    if (!isAnothers && entry?.type === 'turn.completed') return;
  }
}

/**
 * Waits for the answer.
 * @returns undefined when the turn goes on after `timeoutMs`, or the caller has gone.
 * @throws DomainError with the code the turn failed with.
 */
export async function answerOf(deps: TurnsDeps, session: Pick<SessionRef, 'tenantId'>, said: Said, waiting: { signal: AbortSignal; timeoutMs: number }): Promise<TurnAnswer | undefined> {
  using ending = endingWith([waiting.signal], waiting.timeoutMs);
  const used: Usage[] = [];
  let answer = '';
  for await (const told of followTurn(deps, session, said, ending.signal)) {
    if (told === 'idle') continue;
    const { entry } = told;
    if (entry.type === 'message.completed' && entry.text !== '') answer = entry.text;
    if (entry.type === 'usage.recorded') used.push(entry.usage);
    if (entry.type === 'turn.completed') return { answer: answerOrThrow(entry, answer), outcome: entry.outcome, ...(entry.code !== undefined && { code: entry.code }), ...(entry.value !== undefined && { value: entry.value }), usage: sumOf(used) };
  }
  return undefined;
}

function sumOf(used: readonly Usage[]): Usage {
  const total = (name: keyof Usage) => used.reduce((sum, usage) => sum + (usage[name] ?? 0), 0);
  const [cacheReadTokens, cacheWriteTokens] = [total('cacheReadTokens'), total('cacheWriteTokens')];
  return { inputTokens: total('inputTokens'), outputTokens: total('outputTokens'), ...(cacheReadTokens > 0 && { cacheReadTokens }), ...(cacheWriteTokens > 0 && { cacheWriteTokens }) };
}

function answerOrThrow({ outcome, code, message }: SessionEvent & { type: 'turn.completed' }, answer: string): string {
  if (outcome !== 'failed' && outcome !== 'timed_out') return answer;
  const known = isErrorCode(code) ? code : 'turn/failed';
  throw new DomainError(known, message ?? errors[known].title);
}
