import type { Targets } from './hostile';
import type { Script } from './scripts';
import type { Served } from './server';

/** Speaks with a running model server about what it is to say, and what it has said. */
export function modelControl(url: string) {
  const call = async <T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${url}${path}`, { method, ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  return {
    script: (script: Script) => call('POST', '/_script', script),
    release: async (match: string) => (await call<{ released: number }>('POST', '/_release', { match })).released,
    holding: async (match: string) => (await call<{ holding: number }>('POST', '/_holding', { match })).holding,
    timing: (timing: { firstTokenMs: number; msPerToken: number }) => call('POST', '/_timing', timing),
    aim: (targets: Partial<Targets>) => call('POST', '/_aim', targets),
    served: () => call<Served>('GET', '/_served'),
    /** What it was asked last for a tenant. */
    latestOf: async (tenantId: string) => (await call<Served>('GET', '/_served')).latest.findLast((one) => one.tenantId === tenantId),
    reset: () => call('POST', '/_reset'),
  };
}
