import { valkeyKeys } from '../../contracts/names';
import type { WorkerRoster } from '../../ports/worker-roster';
import { calling, type Valkey } from './connection';
import { defineScript } from './scripts';

/** KEYS[1] sorted set of ids by the time their entries run out. ARGV[1] id · ARGV[2] ms. Returns whether it was not there (0/1), all that are. */
const enter = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs)
local isNew = redis.call('ZADD', KEYS[1], nowMs + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2] + 1000) end
return { isNew, redis.call('ZRANGE', KEYS[1], 0, -1) }
`;

type Answer = [isNew: number, workerIds: string[]];

export function createWorkerRoster(valkey: Pick<Valkey, 'commands'>): WorkerRoster {
  const enterRoster = defineScript<Answer>(valkey, 'enterRoster', enter);

  return {
    async enter(workerId, forMs) {
      const [isNew, workerIds] = await calling(() => enterRoster([valkeyKeys.workers], workerId, forMs));
      return { workerIds, isNew: isNew === 1 };
    },

    async leave(workerId) {
      await valkey.commands.zrem(valkeyKeys.workers, workerId).catch(() => undefined);
    },
  };
}
