import { valkeyKeys } from '../../contracts/names';
import type { RateDecision, RequestLimiter } from '../../ports/request-limiter';
import { calling, type Valkey } from './connection';
import { defineScript } from './scripts';

/**
 * Token buckets: `burst` tokens at most, refilled at the rate, by the server's clock, so that all replicas agree. One token is taken of
 * each, or of none. KEYS buckets · ARGV tokens per minute and burst of each. Returns allowed (0/1), which bucket binds (the one that refuses
 * longest, or has the least left), its tokens, ms to its next token, ms until it is full.
 */
const script = `
local buckets = {}
local allowed = 1
for i, key in ipairs(KEYS) do
  local perMs = tonumber(ARGV[2 * i - 1]) / 60000
  local burst = tonumber(ARGV[2 * i])
  local kept = redis.call('HMGET', key, 'tokens', 'atMs')
  local tokens = math.min(burst, (tonumber(kept[1]) or burst) + math.max(0, nowMs - (tonumber(kept[2]) or nowMs)) * perMs)
  if tokens < 1 then allowed = 0 end
  buckets[i] = { perMs = perMs, burst = burst, tokens = tokens }
end
local bound = 1
for i, bucket in ipairs(buckets) do
  bucket.tokens = bucket.tokens - allowed
  bucket.waitMs = 0
  if bucket.tokens < 1 then bucket.waitMs = math.ceil((1 - bucket.tokens) / bucket.perMs) end
  bucket.fullMs = math.ceil((bucket.burst - bucket.tokens) / bucket.perMs)
  redis.call('HSET', KEYS[i], 'tokens', tostring(bucket.tokens), 'atMs', nowMs)
  redis.call('PEXPIRE', KEYS[i], bucket.fullMs + 1000)
  local other = buckets[bound]
  if allowed == 1 and bucket.tokens < other.tokens or allowed == 0 and bucket.waitMs > other.waitMs then bound = i end
end
local binding = buckets[bound]
return { allowed, bound, math.floor(binding.tokens), binding.waitMs, binding.fullMs }
`;

type Answer = [allowed: number, bound: number, remaining: number, retryAfterMs: number, resetMs: number];

export function createRequestLimiter(valkey: Pick<Valkey, 'commands'>): RequestLimiter {
  const takeTokens = defineScript<Answer>(valkey, 'takeTokens', script);
  return {
    async take(bucket, rate, share): Promise<RateDecision> {
      const keys = [valkeyKeys.rate(bucket), ...(share ? [valkeyKeys.share(bucket, share.userId)] : [])];
      const rates = [rate, ...(share ? [share.rate] : [])].flatMap(({ requestsPerMinute, burst }) => [requestsPerMinute, burst]);
      const [allowed, bound, remaining, retryAfterMs, resetMs] = await calling(() => takeTokens(keys, ...rates));
      return { allowed: allowed === 1, bound: bound === 1 ? 'all' : 'share', remaining, retryAfterMs: allowed === 1 ? 0 : retryAfterMs, resetMs };
    },
  };
}
