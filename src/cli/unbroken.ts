import { setTimeout as delay } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import type { ApiRequest } from './api-client';
import { seemsTemporary } from './patience';

export interface Following {
  /** Hears why the stream broke, each time; it is opened again. */
  readonly onTrouble?: (error: unknown) => void;
  /** How long the API may be away: from the first failure after something was heard of it. Default: ten minutes. */
  readonly giveUpAfterMs?: number;
  /** Which failures may pass. Default: those the API, or its absence, says may. */
  readonly mayPass?: (error: unknown) => boolean;
}

/** What the request that opens a stream has with it. */
export type Opening = Required<Pick<ApiRequest, 'headers' | 'onComment'>>;

const reconnectAfterMs = 300;

/**
 * Events of a stream for as long as somebody reads them. One that breaks, or that the server ends, is opened again behind the event seen last: an API that
 * restarts costs nothing but the moment.
 * @throws ApiProblem when the API refuses, ApiUnreachable when it was away for too long.
 */
export async function* unbroken(
  open: (opening: Opening) => AsyncGenerator<EventSourceMessage>,
  { onTrouble, giveUpAfterMs = 600_000, mayPass = seemsTemporary }: Following = {},
): AsyncGenerator<EventSourceMessage> {
  let lastEventId: string | undefined;
  let awaySinceMs: number | undefined;
  const onComment = () => void (awaySinceMs = undefined);
  for (;;) {
    try {
      for await (const message of open({ headers: behind(lastEventId), onComment })) {
        lastEventId = message.id ?? lastEventId;
        awaySinceMs = undefined;
        yield message;
      }
    } catch (error) {
      awaySinceMs ??= performance.now();
      if (!mayPass(error) || performance.now() - awaySinceMs > giveUpAfterMs) throw error;
      onTrouble?.(error);
    }
    await delay(reconnectAfterMs);
  }
}

/** The header that asks for what follows an event. */
const behind = (lastEventId: string | undefined): Opening['headers'] => (lastEventId === undefined ? {} : { 'last-event-id': lastEventId });
