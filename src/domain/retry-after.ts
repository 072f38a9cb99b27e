/** A server that is not well may ask for any time: a turn has better use for it. */
const longestSeconds = 60;

/**
 * How long a server asks to be left alone, from its header `Retry-After` (RFC 9110, 10.2.3: seconds, or a date).
 *
 * @returns nothing when it does not say, or says nothing sensible: the usual back-off.
 */
export function retryAfter(header: string | undefined, nowMs: number): { retryAfterSeconds?: number } {
  if (header === undefined) return {};
  const seconds = Number.isFinite(Number(header)) ? Number(header) : (Date.parse(header) - nowMs) / 1_000;
  return seconds > 0 ? { retryAfterSeconds: Math.min(seconds, longestSeconds) } : {};
}
