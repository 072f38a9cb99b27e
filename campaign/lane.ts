import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ListObjectVersionsCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { createPlatformClients } from '../src/adapters/aws/clients';
import { localAccounts } from '../src/cli/accounts';
import { ApiClient, ApiProblem } from '../src/cli/api-client';
import { patiently } from '../src/cli/patience';
import { type Adapters, createAdapters } from '../src/composition';
import { loadConfig } from '../src/config';
import type { OwnedResource } from '../src/contracts/inventory';
import { tenantResources } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { leftovers } from '../src/domain/inventory';
import { User } from '../src/local/demo/user';
import { type LocalPlatform, startPlatform } from '../src/local/platform';
import { createLogger } from '../src/logging';
import { promptOf } from './points';
import { AwsProxy } from './wire/aws-proxy';
import { RuleBook } from './wire/rules';
import { TemporalProxy } from './wire/temporal-proxy';

/** Cases talk faster than tenants may. */
const rate = { requestsPerMinute: 100_000, burst: 10_000 };
const pollMs = 200;
/** Of a caller, when the machine is busy. */
const patienceMs = 180_000;
/** Ten attempts of an undo take about two minutes. */
const endWithinMs = 8 * 60_000;
/** An operator's token is good for an hour. */
const tokenAgeMs = 20 * 60_000;

/** The whole platform as processes of its own, whose worker reaches AWS, the model and Temporal through proxies. */
export class Lane {
  private token: { value: string; at: number } | undefined;
  private readonly accounts: ReturnType<typeof localAccounts>;
  private readonly s3: S3Client;
  private orderProblems: { readonly of: string; readonly problem: string }[] = [];

  private constructor(
    readonly name: string,
    readonly rules: RuleBook,
    private readonly platform: LocalPlatform,
    readonly adapters: Adapters,
    private readonly stopAll: () => Promise<void>,
  ) {
    this.api = new ApiClient(platform.settings.apiUrl);
    this.s3 = createPlatformClients({ region: platform.settings.aws.region, endpoint: platform.settings.aws.endpoint }).s3;
    rules.watch({ service: 'cloudformation', action: 'DeleteStack' }, ({ text }) => this.checkBucket(text));
    this.accounts = localAccounts(platform.settings);
  }

  readonly api: ApiClient;

  get settings() {
    return this.platform.settings;
  }

  static async start(name: string, onProgress: (line: string) => void = () => undefined): Promise<Lane> {
    const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-campaign-'));
    const rules = new RuleBook();
    const proxies: (AwsProxy | TemporalProxy)[] = [];
    const platform = await startPlatform({
      stateDir,
      keepsState: false,
      restart: true,
      onProgress,
      workerEnv: async (env) => {
        const aws = new AwsProxy(env['AWS_ENDPOINT_URL'] ?? '', rules);
        const model = new AwsProxy(env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '', rules);
        const temporal = new TemporalProxy(env['TEMPORAL_ADDRESS'] ?? '', rules);
        proxies.push(aws, model, temporal);
        return { ...env, AWS_ENDPOINT_URL: await aws.start(), AWS_ENDPOINT_URL_BEDROCK_RUNTIME: await model.start(), TEMPORAL_ADDRESS: await temporal.start() };
      },
    });
    const adapters = createAdapters(loadConfig(platform.stack.env), createLogger('worker', 'fatal'));
    return new Lane(name, rules, platform, adapters, async () => {
      rules.clear();
      await adapters.close();
      await platform.stop();
      for (const proxy of proxies) proxy.stop();
      if (process.env['TENURE_CAMPAIGN_KEEP'] === undefined) await rm(stateDir, { recursive: true, force: true });
      else console.error(`kept: ${stateDir}`);
    });
  }

  stop(): Promise<void> {
    return this.stopAll();
  }

  /** SIGKILL; its supervisor starts it again. */
  killWorker(): void {
    this.platform.services.worker.kill('SIGKILL');
  }

  async operator(): Promise<string> {
    if (!this.token || Date.now() - this.token.at > tokenAgeMs) this.token = { value: await this.accounts.operatorToken(), at: Date.now() };
    return this.token.value;
  }

  async call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', address: string, options: { body?: unknown; idempotencyKey?: string } = {}): Promise<T> {
    const token = await this.operator();
    return patiently(() => this.api.call<T>(`/api/v1/${address}`, { method, token, ...options }), { giveUpAfterMs: patienceMs });
  }

  /** @param key - of the request: one key is one operation, however often it is asked for. */
  beginOnboarding(tenantId: string, key: string, body: object = {}): Promise<Operation> {
    const request = { tenantId, rate, administrator: { email: `admin@${tenantId}.example` }, agent: { systemPrompt: promptOf(tenantId) }, ...body };
    return this.call<Operation>('POST', 'tenants', { body: request, idempotencyKey: key });
  }

  beginOffboarding(tenantId: string, key: string, { graceSeconds = 0, isRehearsed = false } = {}): Promise<Operation> {
    return this.call<Operation>('DELETE', `tenants/${tenantId}?graceSeconds=${graceSeconds}&drainSeconds=0&skipRehearsal=${String(!isRehearsed)}`, { idempotencyKey: key });
  }

  /** So that the tenant's bucket is not empty. */
  async keepObject(tenantId: string): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key: 'files/kept', Body: 'kept' }));
  }

  /**
   * AWS deletes no stack whose bucket holds anything; the local one does, and loses what is in it without a word.
   * @returns of which stacks that was asked.
   */
  takeOrderProblems(tenantId: string): string[] {
    const mine = this.orderProblems.filter(({ of }) => of === tenantId);
    this.orderProblems = this.orderProblems.filter(({ of }) => of !== tenantId);
    return mine.map(({ problem }) => problem);
  }

  /** Before a stack's deletion is passed on. */
  private async checkBucket(request: string): Promise<void> {
    const tenantId = /tenant-([a-z0-9-]+)-infrastructure/.exec(request)?.[1];
    if (tenantId === undefined) return;
    const { Versions = [] } = await this.s3.send(new ListObjectVersionsCommand({ Bucket: tenantResources(tenantId).bucket })).catch(() => ({ Versions: [] }));
    if (Versions.length > 0) this.orderProblems.push({ of: tenantId, problem: `its stack is to be deleted while its bucket holds ${Versions.length} objects` });
  }

  /** @returns undefined while there is no such operation (yet). */
  async operation(operationId: string): Promise<Operation | undefined> {
    try {
      return await this.call<Operation>('GET', `operations/${operationId}`);
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 'operation/not-found') return undefined;
      throw error;
    }
  }

  /** Looks until the operation has come so far. @throws Error that says where it is when it does not. */
  async awaitOperation(operationId: string, isThere: (operation: Operation) => boolean, withinMs = endWithinMs): Promise<Operation> {
    for (const giveUpAtMs = performance.now() + withinMs; ; ) {
      const operation = await this.operation(operationId);
      if (operation && isThere(operation)) return operation;
      if (performance.now() > giveUpAtMs) throw new Error(`it does not come to an end: ${operation ? whereIs(operation) : 'it never began'}`);
      await delay(pollMs);
    }
  }

  awaitEnd(operationId: string): Promise<Operation> {
    return this.awaitOperation(operationId, ({ finishedAt }) => finishedAt !== undefined);
  }

  /** @returns what the API answers: accepted, or its refusal's code. */
  async steer(operationId: string, verb: 'cancel' | 'retry'): Promise<string> {
    try {
      await this.call<Operation>('POST', `operations/${operationId}/${verb}`, { body: {} });
      return 'accepted';
    } catch (error) {
      if (error instanceof ApiProblem) return error.code;
      throw error;
    }
  }

  /** What is left of a tenant that should be gone. */
  async remains(tenantId: string, operationId: string): Promise<OwnedResource[]> {
    return leftovers(await this.inventory(tenantId, operationId));
  }

  /** All but the operation's own workflow, which Temporal may list for a moment after its end. */
  inventory(tenantId: string, operationId: string): Promise<OwnedResource[]> {
    return this.adapters.inventory.list(tenantId, { workflowId: `${tenantId}/operations/${operationId}` });
  }

  async user(tenantId: string): Promise<User> {
    const { userId, accessToken } = await this.accounts.userTokens(tenantId, `user@${tenantId}.example`);
    return new User(this.api, tenantId, userId, accessToken);
  }

  /** @returns the outcome of a turn of a user of the tenant. */
  async turn(tenantId: string): Promise<string> {
    const user = await this.user(tenantId);
    const { outcome } = await user.ask(await user.open(), 'What is 17*23?');
    return outcome;
  }
}

const whereIs = ({ state, steps }: Operation): string =>
  [state, ...steps.filter(({ state: is, error }) => is === 'running' || error !== undefined).map(({ name, state: is, error }) => `${name} ${is} ${error ?? ''}`)].join('; ');
