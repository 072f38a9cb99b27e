import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
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

it('runs beside another stack', async () => {
  const one = await start();
  const other = await start();
  expect(pidsOf(one).filter((pid) => pidsOf(other).includes(pid))).toEqual([]);
  await Promise.all([one.stop(), other.stop()]);
});
