import { valkeyKeys } from '../../contracts/names';
import type { RateDecision, RequestLimiter } from '../../ports/request-limiter';
import { calling, type Valkey } from './connection';

/**
 * A token bucket: `burst` tokens at most, refilled at the rate, by the server's clock, so that all replicas agree.
 * KEYS[1] bucket · ARGV[1] tokens per minute · ARGV[2] burst. Returns allowed (0/1), tokens left, ms to the next token, ms
 * until full.
 */
const script = `
local perMs = tonumber(ARGV[1]) / 60000
local burst = tonumber(ARGV[2])
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'atMs')
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + math.max(0, nowMs - (tonumber(bucket[2]) or nowMs)) * perMs)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
local fullMs = math.ceil((burst - tokens) / perMs)
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'atMs', nowMs)
redis.call('PEXPIRE', KEYS[1], fullMs + 1000)
local waitMs = 0
if tokens < 1 then waitMs = math.ceil((1 - tokens) / perMs) end
return { allowed, math.floor(tokens), waitMs, fullMs }
`;

export function createRequestLimiter({ commands }: Pick<Valkey, 'commands'>): RequestLimiter {
  commands.defineCommand('takeToken', { numberOfKeys: 1, lua: script });
  const takeToken = (commands as unknown as { takeToken(...input: (string | number)[]): Promise<[number, number, number, number]> }).takeToken.bind(commands);
  return {
    async take(bucket, { requestsPerMinute, burst }): Promise<RateDecision> {
      const [allowed, remaining, retryAfterMs, resetMs] = await calling(() => takeToken(valkeyKeys.rate(bucket), requestsPerMinute, burst));
      return { allowed: allowed === 1, remaining, retryAfterMs: allowed === 1 ? 0 : retryAfterMs, resetMs };
    },
  };
}
