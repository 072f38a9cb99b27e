import { sessionOfKey, tenantOfKey, valkeyKeys } from '../../contracts/names';
import type { ErasurePlace, ErasureScope } from '../../ports/erasures';
import type { ResourceFinder } from '../../ports/tenant-inventory';
import type { TenantTraces } from '../../ports/provisioning';
import { calling, type Valkey } from './connection';

const scanCount = 1_000;

/** What Valkey holds of tenants: streams of their sessions, their request rates. */
export function createTenantKeys({ commands }: Pick<Valkey, 'commands'>): ResourceFinder & TenantTraces & { readonly place: ErasurePlace } {
  async function* scan(pattern: string): AsyncGenerator<string[]> {
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const [next, keys] = await calling(() => commands.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount));
      cursor = next;
      yield keys;
    }
  }

  async function keys(pattern: string): Promise<string[]> {
    const found = new Set<string>();
    for await (const some of scan(pattern)) for (const key of some) found.add(key);
    return [...found];
  }

  /** One pass over all keys for many sessions: a pass for each would take as long as there are keys. */
  async function* ofSessions({ tenantId, sessions }: ErasureScope): AsyncGenerator<string[]> {
    const ids = new Set(sessions.map(({ sessionId }) => sessionId));
    for await (const some of scan(valkeyKeys.all(tenantId))) yield some.filter((key) => ids.has(sessionOfKey(key) ?? ''));
  }

  const place: ErasurePlace = {
    name: 'live',
    call: 'SCAN for keys of the sessions',
    async count(scope) {
      const found = new Set<string>();
      for await (const some of ofSessions(scope)) for (const key of some) found.add(key);
      return found.size;
    },
    async erase(scope) {
      for await (const some of ofSessions(scope)) if (some.length > 0) await calling(() => commands.unlink(...some));
    },
  };

  return {
    place,
    checks: [{ service: 'valkey', type: 'key', call: 'SCAN' }],
    find: async (tenantId) => (await keys(valkeyKeys.all(tenantId))).map((name) => ({ service: 'valkey', type: 'key', name })),
    tenantIds: async () => (await keys('{*}/*')).flatMap((key) => tenantOfKey(key) ?? []),
    async erase(tenantId) {
      for await (const some of scan(valkeyKeys.all(tenantId))) if (some.length > 0) await calling(() => commands.unlink(...some));
    },
  };
}
