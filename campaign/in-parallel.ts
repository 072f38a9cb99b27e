/**
 * Runs something for each item, so many at once.
 * @param onEnded - told how many have ended.
 * @returns the results, in the order in which they came.
 * @throws what the first that failed threw, once nothing runs any more: what they ask is not taken down under them.
 */
export async function inParallel<Item, Result>(items: readonly Item[], width: number, run: (item: Item) => Promise<Result>, onEnded: (count: number) => void = () => undefined): Promise<Result[]> {
  const waiting = items[Symbol.iterator]();
  const results: Result[] = [];
  const serve = async () => {
    for (const item of waiting) onEnded(results.push(await run(item)));
  };
  const served = await Promise.allSettled(Array.from({ length: width }, serve));
  const failure = served.find((one) => one.status === 'rejected');
  if (failure) throw failure.reason;
  return results;
}
