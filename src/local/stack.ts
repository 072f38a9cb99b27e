import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { searchAttributes } from '../contracts/names';
import { type EmulatorRun, runBeginning, whatIsUnwritten } from './emulator-state';
import type { LeashMessage } from './leash-protocol';
import { freePorts } from './ports';
import { projectRoot } from './project-root';
import { installLocalTools, type LocalTools } from './python';
import { type Leash, Service } from './service';

export const stackPorts = ['temporal', 'temporalUi', 'aws', 'valkey', 'model'] as const;
export type StackPorts = Record<(typeof stackPorts)[number], number>;

export interface StackOptions {
  /** Databases and logs. */
  readonly stateDir: string;
  readonly ports?: StackPorts;
  /** Keeps what is in AWS over a restart; Temporal's database is in `stateDir` anyway. */
  readonly keepsState: boolean;
  /** Starts services again that die. */
  readonly restart: boolean;
  readonly onProgress: (line: string) => void;
  /** A file to remove should this process be killed and all else end in order without it. */
  readonly runningFile?: string;
  /** Where the Temporal UI has payloads decrypted. */
  readonly codecEndpoint?: string;
}

export interface LocalStack {
  /** What src/config.ts and the AWS SDK read. */
  readonly env: Readonly<Record<string, string>>;
  readonly urls: { readonly temporalUi: string; readonly aws: string; readonly model: string };
  readonly services: Readonly<Record<'temporal' | 'aws' | 'valkey' | 'model', Service>>;
  readonly tools: LocalTools;
  readonly leash: Leash;
  /** Resolves when the emulator has died and taken the state along that was to be kept; it is not started again then. */
  readonly stateLost: Promise<void>;
  /** @returns why the state that was to be kept may be lost, in words; undefined when it is written, or was not to be kept. */
  stop(): Promise<string | undefined>;
}

const host = '127.0.0.1';
/** The emulator's root keys: they open nothing but it. */
const rootKeys = { AWS_ACCESS_KEY_ID: 'AKIATENURELOCALSTACK', AWS_SECRET_ACCESS_KEY: 'local-stack-only' };

/** Starts Temporal, the AWS emulator, Valkey and the model server. @throws Error that says what is missing. */
export async function startStack(options: StackOptions): Promise<LocalStack> {
  const { stateDir, onProgress } = options;
  const tools = await installLocalTools({ onProgress });
  await mkdir(path.join(stateDir, 'logs'), { recursive: true });
  const ports = options.ports ?? (await freePorts(stackPorts));
  const leash = startLeash(options.runningFile);
  const emulatorRun = await runBeginning({ directory: path.join(stateDir, 'aws'), logFile: logOf(options, 'aws') });
  let reportLoss: () => void = () => undefined;
  const stateLost = new Promise<void>((resolve) => (reportLoss = resolve));
  const services = {
    temporal: temporalService(tools, ports, options, leash),
    aws: awsService(tools, ports, { ...options, emulatorRun, onStateLost: reportLoss }, leash),
    valkey: valkeyService(tools, ports, options, leash),
    model: modelService(ports, options, leash),
  };
  const all = Object.values(services);
  // The emulator writes its state when it stops: it goes last, when nobody changes it any more.
  const stop = async () => {
    await Promise.all([services.temporal.stop(), services.valkey.stop(), services.model.stop()]);
    const disorder = await services.aws.stop();
    const loss = options.keepsState ? (disorder ?? (await whatIsUnwritten(emulatorRun))) : undefined;
    leash.end();
    return loss;
  };
  try {
    await Promise.all(all.map(async (service) => timed(service, onProgress)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { env: environment(ports), urls: urlsOf(ports), services, tools, leash, stateLost, stop };
}

async function timed(service: Service, onProgress: (line: string) => void): Promise<void> {
  const startedAtMs = performance.now();
  await service.start();
  onProgress(`${service.name} is up (${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s)`);
}

const urlsOf = (ports: StackPorts) => ({
  temporalUi: `http://${host}:${ports.temporalUi}`,
  aws: `http://${host}:${ports.aws}`,
  model: `http://${host}:${ports.model}`,
});

const environment = (ports: StackPorts): Record<string, string> => ({
  // The emulator's KMS has no rotation on demand.
  KEY_ROTATION: 'data-keys',
  // What agents of the demo and of tests call runs on this machine.
  EGRESS_PRIVATE_ADDRESSES: host,
  ...rootKeys,
  TEMPORAL_ADDRESS: `${host}:${ports.temporal}`,
  TEMPORAL_NAMESPACE: 'default',
  TEMPORAL_UI_URL: urlsOf(ports).temporalUi,
  VALKEY_URL: `redis://${host}:${ports.valkey}`,
  AWS_REGION: 'us-east-1',
  AWS_ENDPOINT_URL: urlsOf(ports).aws,
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: urlsOf(ports).model,
  // The emulator keeps runtimes, and starts a container only when one is called.
  AGENT_RUNTIME_IMAGE: '000000000000.dkr.ecr.us-east-1.amazonaws.com/tenure:local',
  AGENT_RUNTIME_ROLE_ARN: 'arn:aws:iam::000000000000:role/tenure-agent-runtime',
  // It says at every start that a coming year's releases want a newer Node.js; the versions here are pinned.
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});

type ServiceOptions = Pick<StackOptions, 'codecEndpoint' | 'stateDir' | 'keepsState' | 'restart' | 'onProgress'>;

const logOf = ({ stateDir }: ServiceOptions, name: string) => path.join(stateDir, 'logs', `${name}.log`);

function temporalService({ temporal }: LocalTools, ports: StackPorts, options: ServiceOptions, leash: Leash): Service {
  const args = [
    ...['server', 'start-dev', '--ip', host, '--port', String(ports.temporal), '--ui-port', String(ports.temporalUi)],
    ...['--db-filename', path.join(options.stateDir, 'temporal.db'), '--log-level', 'warn'],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...Object.values(searchAttributes).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    // One shard's tasks are read 20 times a second by default: every activity would take 100 ms longer.
    ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=2000'],
    ...['--dynamic-config-value', 'matching.enableFairness=true'],
    ...(options.codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', options.codecEndpoint]),
  ];
  const spec = { name: 'temporal', command: temporal, args, env: {}, logFile: logOf(options, 'temporal'), restart: options.restart, onDeath: options.onProgress };
  return new Service({ ...spec, isReady: async () => (await listens(ports.temporal)) && (await listens(ports.temporalUi)) }, leash);
}

interface EmulatorOptions extends ServiceOptions {
  readonly emulatorRun: EmulatorRun;
  readonly onStateLost: () => void;
}

function awsService({ ministack }: LocalTools, ports: StackPorts, options: EmulatorOptions, leash: Leash): Service {
  const { directory, logFile } = options.emulatorRun;
  const keeps = options.keepsState ? '1' : '0';
  // Pools' signing keys go to STATE_DIR in any case: left out, all stacks of the machine would share one folder.
  const state = { STATE_DIR: directory, PERSIST_STATE: keeps, S3_PERSIST: keeps, S3_DATA_DIR: path.join(directory, 's3') };
  const env = { ...rootKeys, ...state, GATEWAY_PORT: String(ports.aws), BIND_HOST: host, AUTH: 'true', IOT_MTLS_ENABLED: 'false', LOG_LEVEL: 'WARNING' };
  // It writes its state only when it stops in order: one that died would come back empty, and nothing else would know.
  const loses = options.restart && options.keepsState;
  const onDeath = (words: string) => {
    options.onProgress(words);
    if (loses) options.onStateLost();
  };
  const spec = { name: 'aws', command: ministack, args: [], env, logFile, restart: options.restart && !loses, ...(options.keepsState && { run: options.emulatorRun }), onDeath };
  return new Service({ ...spec, isReady: () => answers(`${urlsOf(ports).aws}/_ministack/health`) }, leash);
}

export function valkeyService({ valkey }: LocalTools, ports: Pick<StackPorts, 'valkey'>, options: ServiceOptions, leash: Leash): Service {
  const args = ['--bind', host, '--port', String(ports.valkey), '--save', '', '--appendonly', 'no', '--dir', options.stateDir];
  const spec = { name: 'valkey', command: valkey, args, env: {}, logFile: logOf(options, 'valkey'), restart: options.restart, onDeath: options.onProgress };
  return new Service({ ...spec, isReady: () => listens(ports.valkey) }, leash);
}

function modelService(ports: StackPorts, options: ServiceOptions, leash: Leash): Service {
  const args = [path.join(projectRoot, 'dist/local/model/main.js')];
  const spec = { name: 'model', command: process.execPath, args, env: { PORT: String(ports.model), HOST: host }, logFile: logOf(options, 'model'), onDeath: options.onProgress };
  return new Service({ ...spec, restart: options.restart, isReady: () => answers(`${urlsOf(ports).model}/_health`) }, leash);
}

/** Any answer at all will do. */
export const answers = (url: string): Promise<boolean> => fetch(url, { signal: AbortSignal.timeout(1_000) }).then(({ ok }) => ok);

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host });
    const settle = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });

/**
 * A process that ends what it holds when this one dies, however that happens.
 * @param runningFile - removed when all of it ended in order then.
 */
export function startLeash(runningFile?: string): Leash & { end(): void } {
  const args = [path.join(projectRoot, 'dist/local/leash.js'), ...(runningFile === undefined ? [] : [runningFile])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  child.stdin.on('error', () => undefined);
  const tell = (message: LeashMessage) => child.stdin.writable && child.stdin.write(`${JSON.stringify(message)}\n`);
  return {
    hold: (pid, run) => void tell({ hold: pid, ...(run && { run }) }),
    release: (pid) => void tell({ release: pid }),
    end: () => {
      tell('done');
      child.stdin.end();
    },
  };
}
