/**
 * Asks until it is refused.
 * @returns when the last request was sent that was not, in milliseconds from now: however long a busy machine takes to answer.
 */
export async function untilRefused(ask: () => Promise<{ readonly status: number }>, status = 401): Promise<number> {
  const sinceMs = performance.now();
  for (let acceptedMs = 0; ; ) {
    const sentMs = performance.now() - sinceMs;
    if ((await ask()).status === status) return acceptedMs;
    acceptedMs = sentMs;
  }
}
