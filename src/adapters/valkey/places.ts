import { valkeyKeys } from '../../contracts/names';
import type { Place, PlaceDecision, Places } from '../../ports/places';
import { calling, type Valkey } from './connection';
import { defineScript } from './scripts';

/**
 * KEYS[1] places of the tenant · KEYS[2] of the user, both sorted sets of ids by the time they come free. ARGV[1] id · ARGV[2] ms · ARGV[3], [4] how many of each ·
 * ARGV[5] 1: whatever there is. Returns taken (0/1), which of the two binds, places left of it.
 */
const take = `
local left = {}
local isHeld = redis.call('ZSCORE', KEYS[1], ARGV[1])
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', nowMs)
  left[i] = tonumber(ARGV[2 + i]) - redis.call('ZCARD', KEYS[i])
end
local taken = 0
if isHeld or ARGV[5] == '1' or (left[1] > 0 and left[2] > 0) then
  taken = 1
  for i = 1, 2 do
    if redis.call('ZADD', KEYS[i], nowMs + ARGV[2], ARGV[1]) == 1 then left[i] = left[i] - 1 end
    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2] + 1000) end
  end
end
local bound = 1
if left[2] < left[1] then bound = 2 end
return { taken, bound, math.max(0, left[bound]) }
`;

type Answer = [taken: number, bound: number, remaining: number];

const keysOf = ({ tenantId, thing, userId }: Place) => [valkeyKeys.places(tenantId, thing), valkeyKeys.placesOf(tenantId, thing, userId)] as const;

/** A user's id has no blank: the two parts are told apart again. */
const memberOf = ({ userId, id }: Place): string => `${userId} ${id}`;

export function createPlaces(valkey: Pick<Valkey, 'commands'>): Places {
  const { commands } = valkey;
  const takePlace = defineScript<Answer>(valkey, 'takePlace', take);

  async function leave(place: Place): Promise<void> {
    await Promise.all(keysOf(place).map((key) => commands.zrem(key, memberOf(place))));
  }

  return {
    async take(place, { all, share }, forMs): Promise<PlaceDecision> {
      const [taken, bound, remaining] = await calling(() => takePlace(keysOf(place), memberOf(place), forMs, all, share, 0));
      return { taken: taken === 1, bound: bound === 1 ? 'all' : 'share', remaining };
    },

    async keep(place, forMs) {
      await takePlace(keysOf(place), memberOf(place), forMs, 0, 0, 1).catch(() => undefined);
    },

    async leave(place) {
      await leave(place).catch(() => undefined);
    },

    async vacate({ tenantId, thing, id }) {
      const held = await commands.zrange(valkeyKeys.places(tenantId, thing), 0, -1).catch(() => []);
      const userIds = held.flatMap((member) => (member.endsWith(` ${id}`) ? [member.slice(0, -id.length - 1)] : []));
      await Promise.all(userIds.map((userId) => leave({ tenantId, thing, userId, id }).catch(() => undefined)));
    },
  };
}
