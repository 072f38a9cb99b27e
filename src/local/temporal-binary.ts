import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The first command line whose server hands out work fairly among tenants. */
const oldestMinor = 5;

/**
 * A Temporal command line to start a server with: of the machine, of the virtual environment, or else the one that
 * Temporal's testing package downloads. A server that runs already is never used: what is tried out locally has no place
 * among somebody's real work.
 *
 * @throws Error that names all three ways.
 */
export async function findTemporal(inVenv: string, onProgress: (line: string) => void): Promise<string> {
  if (await isUsable('temporal')) return 'temporal';
  if (existsSync(inVenv)) return inVenv;
  try {
    onProgress('downloading Temporal');
    return await download();
  } catch (error) {
    throw new Error(
      `There is no Temporal server. One of these will do: put "temporal" 1.${oldestMinor} or later on the PATH; ` +
        `delete .tenure/venv, so that it is installed again; or let it be downloaded from temporal.download, which failed just now (${error instanceof Error ? error.message : String(error)}).`,
      { cause: error },
    );
  }
}

async function isUsable(command: string): Promise<boolean> {
  const version = await run(command, ['--version']).then(
    ({ stdout }) => /version (\d+)\.(\d+)/.exec(stdout),
    () => undefined,
  );
  return Number(version?.[1]) > 1 || (version?.[1] === '1' && Number(version[2]) >= oldestMinor);
}

/** The testing package starts what it downloads; that it is there afterwards is all that is wanted. */
async function download(): Promise<string> {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenure-temporal-'));
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir: directory } } });
  await environment.teardown();
  const [file] = await readdir(directory);
  if (file === undefined) throw new Error('The download is empty.');
  return path.join(directory, file);
}
