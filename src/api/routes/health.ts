import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Dependency } from '../../ports/readiness';
import { publicRoute, type Route } from '../route';

const Readiness = z.object({ ready: z.boolean(), dependencies: z.record(z.string(), z.string()) });

/** Balancers ask often; the services behind need not be asked as often. */
const cacheMs = 1_000;

export const healthRoutes = ({ dependencies }: { readonly dependencies: readonly Dependency[] }): Route[] => {
  const states = new LRUCache<string, string>({
    max: 100,
    ttl: cacheMs,
    fetchMethod: async (name) => {
      const dependency = dependencies.find((one) => one.name === name);
      return dependency ? dependency.check().then(() => 'ok', (error: unknown) => (error instanceof Error ? error.message : String(error))) : 'unknown';
    },
  });
  return [
    publicRoute({
      method: 'get',
      path: '/healthz',
      isProbe: true,
      summary: 'Whether the process lives',
      response: z.object({ status: z.literal('ok') }),
      status: 200,
      handle: () => Promise.resolve({ body: { status: 'ok' as const } }),
    }),
    publicRoute({
      method: 'get',
      path: '/readyz',
      isProbe: true,
      summary: 'Whether everything that requests need answers',
      response: Readiness,
      status: 200,
      otherStatuses: { 503: 'Something is not there; the answer says what' },
      async handle() {
        const checked = await Promise.all(dependencies.map(async ({ name }) => [name, await states.forceFetch(name)] as const));
        const ready = checked.every(([, state]) => state === 'ok');
        return { status: ready ? 200 : 503, ...(!ready && { headers: { 'retry-after': '1' } }), body: { ready, dependencies: Object.fromEntries(checked) } };
      },
    }),
  ];
};
