import type { EventSourceMessage } from 'eventsource-parser';
import type { Operation } from '../../contracts/operation';
import { apiPath } from '../access';
import { type Following, type Opening, unbroken } from '../unbroken';

/** Opens the stream at a path of the API. */
export type OpenStream = (path: string, opening: Opening) => AsyncGenerator<EventSourceMessage>;

/**
 * An operation each time it has changed, up to its end, from a stream that {@link unbroken} opens as often as it must.
 * @throws ApiProblem when the API refuses, ApiUnreachable when it was away for too long.
 */
export async function* followOperation(operationId: string, open: OpenStream, following?: Following): AsyncGenerator<Operation> {
  const path = apiPath`/operations/${operationId}/events`;
  for await (const { data } of unbroken((opening) => open(path, opening), following)) {
    const operation = JSON.parse(data) as Operation;
    yield operation;
    if (operation.finishedAt !== undefined) return;
  }
}
