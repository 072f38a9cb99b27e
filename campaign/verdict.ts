import { setTimeout as delay } from 'node:timers/promises';
import type { OwnedResource } from '../src/contracts/inventory';
import type { Operation, OperationStep } from '../src/contracts/operation';
import { describeResource } from '../src/domain/inventory';
import type { Lane } from './lane';

/** Temporal's lists lag behind by about a second; what is there after this is there to stay. */
const settleMs = 10_000;
/** On a busy machine a look itself may fail. */
const busyMs = 60_000;
const lookEveryMs = 500;

/** What comes and goes in a tenant's life: a whole tenant may or may not have it. */
const fleeting: ReadonlySet<string> = new Set(['temporal:workflow', 'valkey:key', 's3:object-versions', 's3:incomplete-uploads', 'cognito:users']);

/** How many of each kind of thing a whole tenant owns. */
export type Shape = Readonly<Record<string, number>>;

export function shapeOf(owned: readonly OwnedResource[]): Shape {
  const shape: Record<string, number> = {};
  for (const { service, type, state } of owned) {
    const kind = `${service}:${type}`;
    if (fleeting.has(kind) || (kind === 'kms:key' && state?.startsWith('Pending') === true)) continue;
    shape[kind] = (shape[kind] ?? 0) + 1;
  }
  return shape;
}

/**
 * What is wrong with an operation's own account of its end.
 * @param forgone - a step that may have failed in an operation that did without.
 */
export function problemsOfSteps({ state, steps, stuck }: Operation, forgone?: string): string[] {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    completed: ['completed', 'skipped'],
    undone: ['completed', 'undone', 'failed', 'skipped'],
    cancelled: ['completed', 'undone', 'failed', 'skipped'],
  };
  const isForgone = (step: OperationStep) => step.name === forgone && step.state === 'failed' && step.error !== undefined;
  const odd = steps.filter((step) => allowed[state]?.includes(step.state) !== true && !isForgone(step)).map(({ name, state: is }) => `step ${name} is ${is} in an operation that is ${state}`);
  return stuck ? [...odd, 'it has ended and says that it is stuck'] : odd;
}

/** Looks until nothing is wrong any more, or it is there to stay. */
export async function settled(look: () => Promise<string[]>): Promise<string[]> {
  for (const startedAtMs = performance.now(); ; ) {
    const seen = await look().then(
      (problems) => ({ problems, patienceMs: settleMs }),
      (error: unknown) => ({ problems: [String(error)], patienceMs: busyMs }),
    );
    if (seen.problems.length === 0 || performance.now() - startedAtMs > seen.patienceMs) return seen.problems;
    await delay(lookEveryMs);
  }
}

/** The tenant is gone: nothing of it is anywhere, but a key that waits for its deletion. `isBuried`: its id is kept from reuse. */
export const problemsOfGone = (lane: Lane, { tenantId, operationId }: Pick<Operation, 'tenantId' | 'operationId'>, isBuried: boolean): Promise<string[]> =>
  settled(async () => {
    const record = await lane.adapters.registry.get(tenantId);
    const wanted = isBuried ? 'deleted' : 'absent';
    const status = record?.status ?? 'absent';
    const left = await lane.remains(tenantId, operationId);
    return [...(status === wanted ? [] : [`the registry's entry is ${status}, not ${wanted}`]), ...left.map((resource) => `left behind: ${describeResource(resource)}`)];
  });

/** Nothing of any tenant is anywhere. */
export const problemsOfEmptiness = (lane: Lane): Promise<string[]> =>
  settled(async () => (await lane.adapters.inventory.tenantIds()).map((tenantId) => `something is left of ${tenantId}`));

/** The tenant is whole: all a tenant owns is there, once, and its agent answers. */
export async function problemsOfWhole(lane: Lane, { tenantId, operationId }: Pick<Operation, 'tenantId' | 'operationId'>, whole: Shape): Promise<string[]> {
  const problems = await settled(async () => {
    const status = (await lane.adapters.registry.get(tenantId))?.status ?? 'absent';
    const shape = shapeOf(await lane.inventory(tenantId, operationId));
    const kinds = [...new Set([...Object.keys(whole), ...Object.keys(shape)])].sort();
    const odd = kinds.filter((kind) => shape[kind] !== whole[kind]).map((kind) => `${kind}: ${shape[kind] ?? 0}, a whole tenant has ${whole[kind] ?? 0}`);
    return [...(status === 'active' ? [] : [`the registry's entry is ${status}, not active`]), ...odd];
  });
  if (problems.length > 0) return problems;
  const outcome = await lane.turn(tenantId).catch((error: unknown) => String(error));
  return outcome === 'completed' ? [] : [`a turn of its user came to: ${outcome}`];
}
