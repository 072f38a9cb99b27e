import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { Client, Connection } from '@temporalio/client';
import { isTaken } from '../../src/local/ports';
import { type LocalStack, startStack } from '../../src/local/stack';
import { descendants, survivors } from './processes';

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-stack-'));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const start = () => startStack({ stateDir, keepsState: false, restart: true, onProgress: () => undefined });
const pidsOf = ({ services }: LocalStack) => Object.values(services).map(({ pid }) => pid);

it('revives a Temporal that was killed, with its workflows', async () => {
  const stack = await start();
  const connection = Connection.lazy({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });
  const handle = await client.workflow.start('waiting', { taskQueue: 'nobody-here', workflowId: 'waiting-1' });

  const { pid } = stack.services.temporal;
  stack.services.temporal.kill('SIGKILL');
  expect(await survivors([pid], 5_000)).toEqual([]);
  // The client tries again by itself until it is back.
  const { status, runId } = await handle.describe();
  expect([status.name, runId]).toEqual(['RUNNING', handle.firstExecutionRunId]);
  expect(stack.services.temporal.pid).not.toBe(pid);

  await connection.close();
  await stack.stop();
});

it('leaves no process and no open port when it stops', async () => {
  const stack = await start();
  const pids = pidsOf(stack);
  const ports = Object.values(stack.urls).map((url) => Number(new URL(url).port));
  expect(await Promise.all(ports.map(isTaken))).toEqual(ports.map(() => true));
  await stack.stop();
  expect(await survivors(pids, 1_000)).toEqual([]);
  expect(await Promise.all(ports.map(isTaken))).toEqual(ports.map(() => false));
});

it('says which service does not start, with its own last words, and takes the others down', async () => {
  await mkdir(path.join(stateDir, 'temporal.db'));
  const others = await descendants(process.pid);
  await expect(start()).rejects.toThrow(/^temporal ended\. The end of .*temporal\.log:\n.*unable to open database file/s);
  const begun = (await descendants(process.pid)).filter((pid) => !others.includes(pid));
  expect(await survivors(begun, 2_000)).toEqual([]);
});

describe('that keeps what is in AWS', () => {
  const startKeeping = async () => {
    const stack = await startStack({ stateDir, keepsState: true, restart: true, onProgress: () => undefined });
    const { AWS_ENDPOINT_URL: endpoint = '', AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env;
    const iam = new IAMClient({ endpoint, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } });
    await iam.send(new CreateUserCommand({ UserName: 'kept' }));
    iam.destroy();
    return stack;
  };
  const emulatorFolder = () => path.join(stateDir, 'aws');

  it('has nothing to say when the emulator has written its state', async () => {
    const stack = await startKeeping();
    expect(await stack.stop()).toBeUndefined();
    expect(await readdir(emulatorFolder())).toContain('iam.json');
  });

  it('says what the emulator could not write', async () => {
    const stack = await startKeeping();
    await mkdir(path.join(emulatorFolder(), 'iam.json.tmp'), { recursive: true });
    expect(await stack.stop()).toMatch(/^it could not write iam \(.*Is a directory/);
  });

  it('says that the emulator wrote nothing, where its log cannot say so', async () => {
    const stack = await startKeeping();
    await rm(emulatorFolder(), { recursive: true, force: true });
    await writeFile(emulatorFolder(), 'in its place');
    await rm(path.join(stateDir, 'logs/aws.log'));
    expect(await stack.stop()).toBe('it wrote nothing');
  });

  it('says that the emulator hung and was killed', async () => {
    const stack = await startKeeping();
    stack.services.aws.kill('SIGSTOP');
    expect(await stack.stop()).toMatch(/^it was killed/);
  });
});

it('runs beside another stack', async () => {
  const one = await start();
  const other = await start();
  expect(pidsOf(one).filter((pid) => pidsOf(other).includes(pid))).toEqual([]);
  await Promise.all([one.stop(), other.stop()]);
});
