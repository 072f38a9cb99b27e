import { setTimeout as delay } from 'node:timers/promises';
import type { Operation } from '../contracts/operation';
import { type ApiClient, ApiProblem } from './api-client';

const pollMs = 250;

/** Follows an operation to its end; `onStep` hears of each step once it is finished. */
export async function watchOperation(
  api: ApiClient,
  operationId: string,
  token: string,
  onStep: (step: Operation['steps'][number]) => void = () => undefined,
): Promise<Operation> {
  const told = new Set<string>();
  for (;;) {
    const operation = await patiently(() => api.call<Operation>(`/api/v1/operations/${operationId}`, { token }));
    for (const step of operation.steps) {
      const news = `${step.name} ${step.state}`;
      if (step.state === 'pending' || step.state === 'running' || told.has(news)) continue;
      told.add(news);
      onStep(step);
    }
    if (operation.finishedAt !== undefined) return operation;
    await delay(pollMs);
  }
}

/** Repeats a call that the API, or its absence, says may be repeated; gives up after a minute. */
export async function patiently<T>(call: () => Promise<T>, giveUpAfterMs = 60_000): Promise<T> {
  for (const giveUpAtMs = Date.now() + giveUpAfterMs; ; ) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error) || Date.now() > giveUpAtMs) throw error;
      await delay(error instanceof ApiProblem && error.retryAfterSeconds ? error.retryAfterSeconds * 1_000 : pollMs);
    }
  }
}

/** By its name: fetch's own errors may come from another realm, where `instanceof` does not see them. */
const mayPass = (error: unknown): boolean =>
  error instanceof ApiProblem ? error.status === 503 || error.status === 429 : (error as { name?: unknown }).name === 'TypeError';
