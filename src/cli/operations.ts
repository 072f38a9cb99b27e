import type { Operation } from '../contracts/operation';
import type { ApiClient } from './api-client';
import { followOperation } from './progress/follow';
import { StepNews } from './progress/news';

/** Follows an operation to its end; `onStep` hears of each step once it is finished. */
export async function watchOperation(
  api: ApiClient,
  operationId: string,
  token: string,
  onStep: (step: Operation['steps'][number]) => void = () => undefined,
): Promise<Operation> {
  const news = new StepNews();
  let last: Operation | undefined;
  for await (const operation of followOperation(operationId, (path, opening) => api.stream(path, { ...opening, token }))) {
    for (const step of news.of(operation)) if (step.state !== 'running' && step.state !== 'undoing') onStep(step);
    last = operation;
  }
  if (!last) throw new Error(`Nothing was heard of ${operationId}.`);
  return last;
}
