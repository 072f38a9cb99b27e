import { setTimeout as delay } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import { seemsTemporary } from './patience';

export interface Following {
  /** Hears why the stream broke, each time; it is opened again. */
  readonly onTrouble?: (error: unknown) => void;
  /** How long the API may be away. Default: ten minutes. */
  readonly giveUpAfterMs?: number;
  /** Which failures may pass. Default: those the API, or its absence, says may. */
  readonly mayPass?: (error: unknown) => boolean;
}

const reconnectAfterMs = 300;

/**
 * Events of a stream for as long as somebody reads them. One that breaks, or that the server ends, is opened again behind the event seen last: an API that
 * restarts costs nothing but the moment.
 * @param open - with the id of that event, once there is one.
 * @throws ApiProblem when the API refuses, ApiUnreachable when it was away for too long.
 */
export async function* unbroken(
  open: (lastEventId: string | undefined) => AsyncGenerator<EventSourceMessage>,
  { onTrouble, giveUpAfterMs = 600_000, mayPass = seemsTemporary }: Following = {},
): AsyncGenerator<EventSourceMessage> {
  let lastEventId: string | undefined;
  for (let heardAtMs = performance.now(); ; ) {
    try {
      for await (const message of open(lastEventId)) {
        lastEventId = message.id ?? lastEventId;
        heardAtMs = performance.now();
        yield message;
      }
    } catch (error) {
      if (!mayPass(error) || performance.now() - heardAtMs > giveUpAfterMs) throw error;
      onTrouble?.(error);
    }
    await delay(reconnectAfterMs);
  }
}

/** The header that asks for what follows an event. */
export const behind = (lastEventId: string | undefined): Readonly<Record<string, string>> => (lastEventId === undefined ? {} : { 'last-event-id': lastEventId });
