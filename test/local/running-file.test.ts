import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { noteRunning, whoRuns } from '../../src/local/running-file';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'tenure-running-'));
  file = path.join(folder, 'running');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('names the process that noted itself, as long as it runs', async () => {
  expect(await whoRuns(file)).toBeUndefined();
  await noteRunning(file);
  expect(await whoRuns(file)).toBe(process.pid);
});

it('does not take another process for it that has its id now, nor one that has ended', async () => {
  await noteRunning(file);
  const noted = await readFile(file, 'utf8');
  const other = spawn('sleep', ['600']);
  await once(other, 'spawn');
  await writeFile(file, noted.replace(/^\d+/, String(other.pid)));
  expect(await whoRuns(file)).toBeUndefined();
  other.kill();
  await once(other, 'exit');
  expect(await whoRuns(file)).toBeUndefined();
  await writeFile(file, '1');
  expect(await whoRuns(file)).toBeUndefined();
});
