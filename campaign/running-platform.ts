import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { localAccounts } from '../src/cli/accounts';
import { ApiClient } from '../src/cli/api-client';
import { watchOperation } from '../src/cli/operations';
import { patiently } from '../src/cli/patience';
import type { Operation } from '../src/contracts/operation';
import { User } from '../src/local/demo/user';
import { modelControl } from '../src/local/model/control';
import { startPlatform } from '../src/local/platform';
import type { LocalStack } from '../src/local/stack';
import { createMovingClock } from './moving-clock';

/** Those who try it talk faster than tenants may. */
const rate = { requestsPerMinute: 100_000, burst: 10_000 };

export type RunningPlatform = Awaited<ReturnType<typeof runPlatform>>;

/**
 * The whole platform as processes of its own, supervised as `npm start` does it: what is killed comes back.
 * @param options - `clocksMove`: whether the clocks of api and worker can be set; `workerSettings`: of the worker alone.
 */
export async function runPlatform({ clocksMove = false, workerSettings = {} }: { clocksMove?: boolean; workerSettings?: Readonly<Record<string, string>> } = {}) {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-e2e-'));
  const clocks = { api: await createMovingClock(path.join(stateDir, 'clock-of-api')), worker: await createMovingClock(path.join(stateDir, 'clock-of-worker')) };
  const platform = await startPlatform({
    stateDir,
    keepsState: false,
    restart: true,
    onProgress: () => undefined,
    ...(clocksMove && { apiEnv: clocks.api.env }),
    workerEnv: (env: LocalStack['env']) => Promise.resolve({ ...env, ...workerSettings, ...(clocksMove && clocks.worker.env) }),
  });
  const api = new ApiClient(platform.settings.apiUrl);
  const accounts = localAccounts(platform.settings);
  const operator = await accounts.operatorToken();

  return {
    ...platform,
    stateDir,
    api,
    operator,
    accounts,
    model: modelControl(platform.stack.urls.model),

    /** Sets the clock of a process. @param byMs - from the true time. */
    moveClock: (name: keyof typeof clocks, byMs: number): Promise<void> => clocks[name].move(platform.services[name], byMs),

    /** Starts an onboarding; one key for all attempts, so that it is one operation. */
    async beginOnboarding(tenantId: string, agent: object = {}, tier = 'standard'): Promise<Operation> {
      const body = { tenantId, tier, rate, administrator: { email: `admin@${tenantId}.example` }, agent };
      return patiently(() => api.call<Operation>('/api/v1/tenants', { method: 'POST', token: operator, body, idempotencyKey: `onboard-${tenantId}` }));
    },

    async onboard(tenantId: string, agent: object = {}, tier = 'standard'): Promise<Operation> {
      return this.ended(await this.beginOnboarding(tenantId, agent, tier));
    },

    /** What an operation came to. */
    ended: ({ operationId }: Pick<Operation, 'operationId'>): Promise<Operation> => watchOperation(api, operationId, operator),

    async user(tenantId: string, name = 'user'): Promise<User> {
      const { userId, accessToken } = await accounts.userTokens(tenantId, `${name}@${tenantId}.example`);
      return new User(api, tenantId, userId, accessToken);
    },

    async stop(): Promise<void> {
      await platform.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
