type Ask = () => Promise<{ readonly status: number }>;

/**
 * Asks until it is answered with this status.
 * @returns when the last request was sent that was not, in milliseconds from now: however long a busy machine takes to answer.
 */
export async function untilStatus(status: number, ask: Ask): Promise<number> {
  const sinceMs = performance.now();
  for (let otherwiseMs = 0; ; ) {
    const sentMs = performance.now() - sinceMs;
    if ((await ask()).status === status) return otherwiseMs;
    otherwiseMs = sentMs;
  }
}

export const untilRefused = (ask: Ask, status = 401): Promise<number> => untilStatus(status, ask);
