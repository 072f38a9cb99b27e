import { setTimeout as delay } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import type { Operation } from '../../contracts/operation';
import { apiPath } from '../access';
import { seemsTemporary } from '../patience';

/** Opens the stream at a path of the API. */
export type OpenStream = (path: string, headers: Readonly<Record<string, string>>) => AsyncGenerator<EventSourceMessage>;

export interface Following {
  /** Hears why the stream broke, each time; it is opened again. */
  readonly onTrouble?: (error: unknown) => void;
  /** How long the API may be away. Default: ten minutes. */
  readonly giveUpAfterMs?: number;
}

const reconnectAfterMs = 300;

/**
 * An operation each time it has changed, up to its end. A stream that breaks is opened again behind the revision seen
 * last, so an API that restarts costs nothing but the moment.
 * @throws ApiProblem when the API refuses, ApiUnreachable when it was away for too long.
 */
export async function* followOperation(operationId: string, open: OpenStream, { onTrouble, giveUpAfterMs = 600_000 }: Following = {}): AsyncGenerator<Operation> {
  const path = apiPath`/operations/${operationId}/events`;
  let revision: number | undefined;
  for (let heardAtMs = performance.now(); ; ) {
    try {
      for await (const { event, data } of open(path, revision === undefined ? {} : { 'last-event-id': String(revision) })) {
        if (event !== 'operation') continue;
        const operation = JSON.parse(data) as Operation;
        ({ revision } = operation);
        heardAtMs = performance.now();
        yield operation;
        if (operation.finishedAt !== undefined) return;
      }
    } catch (error) {
      if (!seemsTemporary(error) || performance.now() - heardAtMs > giveUpAfterMs) throw error;
      onTrouble?.(error);
    }
    await delay(reconnectAfterMs);
  }
}
