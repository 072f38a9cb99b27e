import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { createPlatformClients } from '../src/adapters/aws/clients';
import { localAccounts } from '../src/cli/accounts';
import { ApiClient } from '../src/cli/api-client';
import { type Adapters, createAdapters } from '../src/composition';
import { loadConfig } from '../src/config';
import type { EventBody } from '../src/contracts/events';
import type { BackupSummary } from '../src/contracts/backup';
import { type StepName, tenantResources } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { type LocalPlatform, startPlatform } from '../src/local/platform';
import { createLogger } from '../src/logging';
import { updateDocs } from './docs';
import { type Curve, curveOf, readSamples, type Sample, samplesFile, shares } from './memory/samples';

const { values: options } = parseArgs({
  options: {
    /** Of the tenant, in MB: half of it texts of conversations, half of it objects. */
    size: { type: 'string', default: '1000' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

const mb = 1_000_000;
/** A part of the backup, plain and compressed, its sealed copy, and what a request has of it: whatever the tenant's size. */
const mostGrownMb = 80;
const textBytes = 20_000;
const textsPerBatch = 10;
const batchesPerSession = 50;
const objectBytes = 10 * mb;
const pollMs = 500;
const idleMs = 10_000;

/** A large tenant is backed up, its backup read back, and restored into another tenant: what the worker holds meanwhile, and how long it takes. */
async function main(): Promise<void> {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-campaign-'));
  const samples = path.join(stateDir, 'samples.jsonl');
  const sampler = path.join(__dirname, 'memory/sampler.js');
  const platform = await startPlatform({
    stateDir,
    keepsState: false,
    restart: false,
    onProgress: (line) => console.log(line),
    workerEnv: (env) => Promise.resolve({ ...env, NODE_OPTIONS: `--require ${sampler}`, [samplesFile]: samples }),
  });
  try {
    const run = await Run.start(platform);
    const figures = await run.backupAndRestore(Number(options.size));
    const watched = await readSamples(samples);
    await report(figures, watched, run.curvesOf(watched));
    await run.close();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

interface Figures {
  readonly summary: BackupSummary;
  /** From when to when the worker had nothing of this to do. */
  readonly idle: readonly [number, number];
}

class Run {
  private readonly spans: { readonly what: string; readonly span: readonly [number, number] }[] = [];
  private readonly api: ApiClient;

  private constructor(
    private readonly platform: LocalPlatform,
    private readonly adapters: Adapters,
    private readonly operator: string,
  ) {
    this.api = new ApiClient(platform.settings.apiUrl);
  }

  static async start(platform: LocalPlatform): Promise<Run> {
    const adapters = createAdapters(loadConfig(platform.stack.env), createLogger('worker', 'fatal'));
    return new Run(platform, adapters, await localAccounts(platform.settings).operatorToken());
  }

  close(): Promise<void> {
    return this.adapters.close();
  }

  async backupAndRestore(sizeMb: number): Promise<Figures> {
    await this.operation('tenants', { tenantId: 'large', administrator: { email: 'admin@large.example' } });
    await this.fill(sizeMb);
    const idle = [Date.now() - idleMs, Date.now()] as const;
    const taken = await this.operation('tenants/large/backups', {}, { backup: 'take', verify_backup: 'verify' });
    const backupId = taken.backupId ?? '';
    const [summary] = (await this.api.call<{ data: BackupSummary[] }>('/api/v1/tenants/large/backups', { token: this.operator })).data;
    if (!summary) throw new Error('The backup is not listed.');
    const restored = await this.operation('tenants/copy/restore', { backupId, sourceTenantId: 'large' }, { restore_data: 'restore', compare: 'compare with the backup' });
    if (!restored.comparison?.every(({ records, found, hashesAgree }) => records === found && hashesAgree)) throw new Error('The restored tenant is another one.');
    return { summary, idle };
  }

  curvesOf(samples: readonly Sample[]): Curve[] {
    return this.spans.map(({ what, span }) => curveOf(what, samples, span));
  }

  /** Texts as a worker logs them, most batches in the table and some so large that they lie in the bucket; and objects that nothing compresses. */
  private async fill(sizeMb: number): Promise<void> {
    console.log(`a tenant of ${sizeMb} MB is made`);
    const { s3 } = createPlatformClients({ region: this.platform.settings.aws.region, endpoint: this.platform.settings.aws.endpoint });
    const objects = Math.ceil((sizeMb * mb) / 2 / objectBytes);
    for (let number = 0; number < objects; number++)
      await s3.send(new PutObjectCommand({ Bucket: tenantResources('large').bucket, Key: `exports/${number}.bin`, Body: randomBytes(objectBytes) }));
    const batches = Math.ceil((sizeMb * mb) / 2 / (textBytes * textsPerBatch));
    const sessions = Array.from({ length: Math.ceil(batches / batchesPerSession) }, (_, index) => index);
    for (const index of sessions) await this.converse(`ses-large-${index}`, Math.min(batchesPerSession, batches - index * batchesPerSession));
  }

  private async converse(sessionId: string, batches: number): Promise<void> {
    const session = { tenantId: 'large', sessionId };
    await this.adapters.sessions.create({ ...session, userId: 'ann', createdAt: new Date().toISOString() });
    for (let number = 0; number < batches; number++) {
      const events = Array.from({ length: textsPerBatch }, (): EventBody => ({ type: 'message.completed', turnId: `turn-${number}`, step: 1, text: randomBytes(textBytes / 2).toString('hex'), stopReason: 'end_turn' }));
      await this.adapters.log.append(session, { after: number * textsPerBatch, key: `turn-${number}/1/completed`, events });
    }
  }

  /** @param watched - steps whose memory is of interest, and what to call them. */
  private async operation(address: string, body: object, watched: Partial<Record<StepName, string>> = {}): Promise<Operation> {
    let operation = await this.api.call<Operation>(`/api/v1/${address}`, { method: 'POST', token: this.operator, body });
    while (operation.finishedAt === undefined) {
      await delay(pollMs);
      operation = await this.api.call<Operation>(`/api/v1/operations/${operation.operationId}`, { token: this.operator });
    }
    if (operation.state !== 'completed') throw new Error(`${address} ended ${operation.state}: ${operation.error?.message ?? ''}`);
    for (const { name, startedAt, finishedAt } of operation.steps) {
      const what = watched[name as StepName];
      if (what === undefined || startedAt === undefined || finishedAt === undefined) continue;
      this.spans.push({ what, span: [Date.parse(startedAt), Date.parse(finishedAt)] });
      console.log(`${what}: ${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000).toFixed(0)} s`);
    }
    return operation;
  }
}

/** What parts and requests do not explain. @param idleMb - what the worker held before. */
const problemsOf = (curves: readonly Curve[], idleMb: number): string[] =>
  curves.flatMap(({ what, mostInUseMb }) => (mostInUseMb - idleMb > mostGrownMb ? [`${what}: ${(mostInUseMb - idleMb).toFixed(0)} MB more in use than before, ${mostGrownMb} are allowed`] : []));

async function report({ summary, idle }: Figures, samples: readonly Sample[], curves: readonly Curve[]): Promise<void> {
  const before = curveOf('before', samples, idle);
  const problems = problemsOf(curves, before.mostInUseMb);
  const machine = `${os.cpus().length} cores, ${os.cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  const whole = (numbers: readonly number[]) => numbers.map((number) => number.toFixed(0)).join(' · ');
  const rowOf = ({ what, seconds, inUseMb, mostInUseMb, residentMb, mostResidentMb }: Curve) =>
    `| ${what} | ${seconds.toFixed(0)} s | ${(summary.bytes / mb / seconds).toFixed(0)} | ${whole(inUseMb)} | ${whole([mostInUseMb])} | ${whole(residentMb)} | ${whole([mostResidentMb])} |`;
  const markdown = [
    `A backup of ${whole([summary.bytes / mb])} MB of lines, ${whole([summary.storedBytes / mb])} MB in the bucket; ${sum(Object.values(summary.records))} records. Worker at rest before: ${whole([before.mostInUseMb])} MB in use, ${whole([before.mostResidentMb])} MB resident. ${machine}; AWS emulator, Temporal and API on the same machine.`,
    '',
    `| | took | MB/s | in use, MB, at ${shares.map((share) => `${share * 100} %`).join(' · ')} | most | resident, MB | most |`,
    '|---|---|---|---|---|---|---|',
    ...curves.map(rowOf),
    ...problems.map((problem) => `- ${problem}`),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'backup.md'), markdown);
  await writeFile(path.join(options.out, 'backup.json'), `${JSON.stringify({ machine, summary, curves, samples, problems }, null, 1)}\n`);
  if (problems.length > 0) process.exitCode = 1;
  else await updateDocs('memory', markdown);
  console.log(`\n${markdown}`);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
