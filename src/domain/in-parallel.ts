/**
 * Does something for each item, so many at once.
 *
 * @returns the results, in the order of the items.
 * @throws what the first that failed threw, once nothing runs any more; those that wait are not begun then.
 */
export async function inParallel<Item, Result>(items: readonly Item[], atOnce: number, act: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  let failure: { readonly error: unknown } | undefined;
  const serve = async () => {
    for (const [index, item] of waiting) {
      try {
        results[index] = await act(item);
      } catch (error) {
        failure ??= { error };
      }
      if (failure) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, serve));
  if (failure) throw failure.error;
  return results;
}
