import { randomPassword } from '../adapters/aws/passwords';
import type { ProcessKeys } from '../adapters/aws/process-identities';
import { bootstrapPlatform, createOperator, createProcessUsers } from '../bootstrap';
import { loadConfig } from '../config';
import type { LocalSettings } from '../contracts/local-settings';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { freePorts } from './ports';
import { projectRoot } from './project-root';
import { isForeignSetting, Service } from './service';
import { answers, type LocalStack, type StackOptions, startStack } from './stack';

export interface PlatformOptions extends StackOptions {
  readonly apiPort?: number;
  /** Settings of the API alone, beside the stack's. */
  readonly apiEnv?: Readonly<Record<string, string>>;
  /** What the worker's environment is instead of the stack's: its connections may lead through proxies. */
  readonly workerEnv?: (env: LocalStack['env']) => Promise<LocalStack['env']>;
}

export interface LocalPlatform {
  readonly settings: LocalSettings;
  readonly stack: LocalStack;
  readonly services: LocalStack['services'] & Readonly<Record<'api' | 'worker', Service>>;
  stop(): ReturnType<LocalStack['stop']>;
}

/** The local stack with the platform on it: set up, an operator, one api and one worker, each a process of its own. */
export async function startPlatform(options: PlatformOptions): Promise<LocalPlatform> {
  const apiPort = options.apiPort ?? (await freePorts(['api'])).api;
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const stack = await startStack({ ...options, codecEndpoint: `${apiUrl}/codec` });
  const started: Service[] = [];
  const stop = async () => {
    await Promise.all(started.map((service) => service.stop()));
    return stack.stop();
  };
  try {
    const { operator, users } = await setUp(stack);
    const api = apiService(stack, options, apiPort, { ...stack.env, ...options.apiEnv, ...keysOf(users.api) });
    const worker = workerService(stack, options, { ISOLATION_PROBE_API_URL: apiUrl, ...((await options.workerEnv?.(stack.env)) ?? stack.env), ...keysOf(users.worker) });
    started.push(api, worker);
    await Promise.all([api.start(), worker.start()]);
    options.onProgress('api and worker are up');
    const settings = { ...connections(stack), pid: process.pid, apiUrl, operator };
    return { settings, stack, services: { ...stack.services, api, worker }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** New passwords and keys at each start: the old ones were only in the file, and the processes, of the stack that ran before. */
async function setUp({ env }: LocalStack) {
  adopt(env);
  const config = loadConfig(env);
  await bootstrapPlatform(config);
  const operator = { email: 'operator@tenure.local', password: randomPassword() };
  await createOperator(config, operator);
  const policies = await readFile(path.join(projectRoot, 'cloudformation/platform-identities.yaml'), 'utf8');
  return { operator, users: await createProcessUsers(config, policies) };
}

/** What the AWS SDK reads: a process is its own user, not the emulator's root. */
const keysOf = ({ accessKeyId, secretAccessKey }: ProcessKeys) => ({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });

/** The SDK's clients in this process read the stack's settings, and none of the developer's own. */
function adopt(env: LocalStack['env']): void {
  for (const name of Object.keys(process.env).filter(isForeignSetting)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, env);
}

const connections = ({ urls, env }: LocalStack): Pick<LocalSettings, 'temporalUiUrl' | 'temporalAddress' | 'aws'> => ({
  temporalUiUrl: urls.temporalUi,
  temporalAddress: env['TEMPORAL_ADDRESS'] ?? '',
  aws: {
    endpoint: urls.aws,
    region: env['AWS_REGION'] ?? '',
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
  },
});

function apiService(stack: LocalStack, { stateDir, restart, onProgress }: StackOptions, port: number, env: LocalStack['env']): Service {
  return new Service(
    {
      name: 'api',
      command: process.execPath,
      args: [path.join(projectRoot, 'dist/api/main.js')],
      env: { ...env, HOST: '127.0.0.1', PORT: String(port) },
      logFile: path.join(stateDir, 'logs/api.log'),
      restart,
      onDeath: onProgress,
      isReady: () => answers(`http://127.0.0.1:${port}/healthz`),
    },
    stack.leash,
  );
}

/** A worker listens nowhere: that its process lives is all there is to see from outside. Onboarding asks it for more. */
function workerService(stack: LocalStack, { stateDir, restart, onProgress }: StackOptions, env: LocalStack['env']): Service {
  return new Service(
    {
      name: 'worker',
      command: process.execPath,
      args: [path.join(projectRoot, 'dist/worker.js')],
      env,
      logFile: path.join(stateDir, 'logs/worker.log'),
      restart,
      onDeath: onProgress,
      isReady: () => Promise.resolve(true),
    },
    stack.leash,
  );
}
