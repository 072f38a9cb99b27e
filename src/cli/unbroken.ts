import { setTimeout as delay } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import type { ApiRequest } from './api-client';
import { seemsTemporary } from './patience';

export interface Following {
  /** Hears once in an outage that the API is away, and why: a stream that broke could not be opened again. */
  readonly onTrouble?: (error: unknown) => void;
  /** Hears that the outage it was told of is over. */
  readonly onRecovery?: () => void;
  /** How long the API may be away: from the first failure after something was heard of it. Default: ten minutes. */
  readonly giveUpAfterMs?: number;
  /** Which failures may pass. Default: those the API, or its absence, says may. */
  readonly mayPass?: (error: unknown) => boolean;
}

/** What the request that opens a stream has with it. */
export type Opening = Required<Pick<ApiRequest, 'headers' | 'onComment'>>;

const shortestPauseMs = 300;
const longestPauseMs = 5_000;

/**
 * Events of a stream for as long as somebody reads them. One that breaks, or that the server ends, is opened again behind the event seen last: an API that
 * restarts costs nothing but the moment. The longer it brings nothing, the more seldom.
 * @throws ApiProblem when the API refuses, ApiUnreachable when it was away for too long.
 */
export async function* unbroken(
  open: (opening: Opening) => AsyncGenerator<EventSourceMessage>,
  { onTrouble, onRecovery, giveUpAfterMs = 600_000, mayPass = seemsTemporary }: Following = {},
): AsyncGenerator<EventSourceMessage> {
  let lastEventId: string | undefined;
  let [failures, awaySinceMs] = [0, 0];
  const heard = () => {
    if (failures > 1) onRecovery?.();
    failures = 0;
  };
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      for await (const message of open({ headers: behind(lastEventId), onComment: heard })) {
        lastEventId = message.id ?? lastEventId;
        heard();
        pauseMs = shortestPauseMs;
        yield message;
      }
    } catch (error) {
      failures += 1;
      if (failures === 1) awaySinceMs = performance.now();
      if (!mayPass(error) || performance.now() - awaySinceMs > giveUpAfterMs) throw error;
      if (failures === 2) onTrouble?.(error);
    }
    await delay(pauseMs);
  }
}

/** The header that asks for what follows an event. */
const behind = (lastEventId: string | undefined): Opening['headers'] => (lastEventId === undefined ? {} : { 'last-event-id': lastEventId });
