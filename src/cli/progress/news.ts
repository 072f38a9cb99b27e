import type { Operation, OperationStep } from '../../contracts/operation';

/** Steps of an operation whose state, attempt or error has changed since the last look. */
export class StepNews {
  private readonly told = new Map<string, string>();

  of({ steps }: Operation): OperationStep[] {
    return steps.filter((step) => {
      const { name, state, attempt = 1, error } = step;
      if (state === 'pending') return false;
      // A first attempt that has begun is told by its end.
      const now = state === 'running' && attempt === 1 ? '' : `${state} ${attempt} ${error ?? ''}`;
      if (now === '' || this.told.get(name) === now) return false;
      this.told.set(name, now);
      return true;
    });
  }
}
