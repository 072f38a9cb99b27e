import { randomPassword } from '../adapters/aws/passwords';
import { bootstrapPlatform, createOperator } from '../bootstrap';
import { loadConfig } from '../config';
import type { LocalSettings } from '../contracts/local-settings';
import path from 'node:path';
import { freePorts } from './ports';
import { projectRoot } from './project-root';
import { isForeignSetting, Service } from './service';
import { answers, type LocalStack, type StackOptions, startStack } from './stack';

export interface PlatformOptions extends StackOptions {
  readonly apiPort?: number;
  /** What the worker's environment is instead of the stack's: its connections may lead through proxies. */
  readonly workerEnv?: (env: LocalStack['env']) => Promise<LocalStack['env']>;
}

export interface LocalPlatform {
  readonly settings: LocalSettings;
  readonly stack: LocalStack;
  readonly services: LocalStack['services'] & Readonly<Record<'api' | 'worker', Service>>;
  stop(): Promise<void>;
}

/** The local stack with the platform on it: set up, an operator, one api and one worker, each a process of its own. */
export async function startPlatform(options: PlatformOptions): Promise<LocalPlatform> {
  const apiPort = options.apiPort ?? (await freePorts(['api'])).api;
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const stack = await startStack({ ...options, codecEndpoint: `${apiUrl}/codec` });
  const api = apiService(stack, options, apiPort);
  const worker = workerService(stack, options, (await options.workerEnv?.(stack.env)) ?? stack.env);
  const stop = async () => {
    await Promise.all([api.stop(), worker.stop()]);
    await stack.stop();
  };
  try {
    const operator = await setUp(stack);
    await Promise.all([api.start(), worker.start()]);
    options.onProgress('api and worker are up');
    const settings = { ...connections(stack), pid: process.pid, apiUrl, operator };
    return { settings, stack, services: { ...stack.services, api, worker }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A new password at each start: the operator's old one was only in the file of the stack that ran before. */
async function setUp({ env }: LocalStack): Promise<LocalSettings['operator']> {
  adopt(env);
  const config = loadConfig(env);
  await bootstrapPlatform(config);
  const operator = { email: 'operator@tenure.local', password: randomPassword() };
  await createOperator(config, operator);
  return operator;
}

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

function apiService(stack: LocalStack, { stateDir, restart, onProgress }: StackOptions, port: number): Service {
  return new Service(
    {
      name: 'api',
      command: process.execPath,
      args: [path.join(projectRoot, 'dist/api/main.js')],
      env: { ...stack.env, HOST: '127.0.0.1', PORT: String(port) },
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
