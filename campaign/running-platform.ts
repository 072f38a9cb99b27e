import { mkdtemp, readFile, rm } from 'node:fs/promises';
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
import { projectRoot } from '../src/local/project-root';
import { Service } from '../src/local/service';
import type { LocalStack } from '../src/local/stack';
import { createMovingClock } from './moving-clock';

/** What a process has logged, as far as it is looked at. */
export interface LogLine {
  readonly msg?: string;
  readonly tenantId?: string;
}

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
  const logOf = (name: string) => path.join(stateDir, 'logs', `${name}.log`);

  /** What a process has said, oldest first. Worker and API of local stacks say what is wrong alone, unless `LOG_LEVEL` says otherwise. */
  const linesOf = async (name: string): Promise<LogLine[]> =>
    (await readFile(logOf(name), 'utf8')).split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []));

  return {
    ...platform,
    stateDir,
    api,
    operator,
    accounts,
    model: modelControl(platform.stack.urls.model),

    linesOf,

    /** One more worker process, to be started and stopped. */
    anotherWorker: (name: string, settings: Readonly<Record<string, string>>): Service =>
      new Service(
        {
          name,
          command: process.execPath,
          args: [path.join(projectRoot, 'dist/worker.js')],
          env: { ...platform.stack.env, LOG_LEVEL: 'info', ...settings },
          logFile: logOf(name),
          restart: false,
          isReady: async () => (await linesOf(name)).some(({ msg }) => msg === 'worker ready'),
        },
        platform.stack.leash,
      ),

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
