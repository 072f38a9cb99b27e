import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { localPortOf, localPorts } from '../../contracts/local-settings';
import { failed, type Finding, ok, type Patient, skipped, warning } from './finding';

const run = promisify(execFile);

/** What package.json asks for. */
const oldestNode = [20, 19] as const;
const oldestPython = [3, 10] as const;

const isAtLeast = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
};

export function checkNode(version = process.versions.node): Promise<Finding> {
  const finding = isAtLeast(version, oldestNode) ? ok('node', `Node.js ${version}`) : failed('node', `Node.js ${version} is too old`, `Install Node.js ${oldestNode.join('.')} or later.`);
  return Promise.resolve(finding);
}

/** The local stack's needs: of no concern to whoever talks to an API elsewhere. */
export async function checkPython({ target }: Patient): Promise<Finding> {
  if (isElsewhere(target)) return skipped('python', 'only the local stack needs it');
  const candidates = process.env['TENURE_PYTHON'] ? [process.env['TENURE_PYTHON']] : ['python3', 'python'];
  for (const candidate of candidates) {
    const version = await run(candidate, ['-c', 'import sys, venv; print("%d.%d.%d" % sys.version_info[:3])']).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    );
    if (version !== undefined && isAtLeast(version, oldestPython)) return ok('python', `${candidate} is ${version}`);
  }
  return warning('python', `no Python ${oldestPython.join('.')} or later with venv as ${candidates.join(' or ')}`, 'Install it for "npm start", or set TENURE_PYTHON; on Debian and Ubuntu also python3-venv.');
}

export async function checkEnvironment({ target }: Patient): Promise<Finding> {
  if (isElsewhere(target)) return skipped('local-stack', 'only "npm start" needs it');
  const marker = path.join('.tenure', 'venv', 'installed');
  const isThere = await access(path.join(process.env['TENURE_HOME'] ?? process.cwd(), marker)).then(() => true, () => false);
  if (isThere) return ok('local-stack', `installed in ${path.dirname(marker)}`);
  return warning('local-stack', 'not installed in this folder', 'Run "npm start" in the project\'s folder: it installs the local stack once (330 MB).');
}

/** Only before a local stack is started: while it runs, its ports are its own. */
export async function checkPorts({ target }: Patient): Promise<Finding> {
  if (target) return skipped('ports', target.local ? 'the local stack runs, and has them' : 'only "npm start" needs them');
  const taken = (await Promise.all(localPorts.map(async (row) => ((await isTaken(localPortOf(row))) ? [row] : [])))).flat();
  if (taken.length === 0) return ok('ports', `free: ${localPorts.map(localPortOf).join(', ')}`);
  const names = taken.map((row) => `${localPortOf(row)} (${row.name})`).join(', ');
  return warning('ports', `taken by other programs: ${names}`, `End those, or choose others: ${taken.map((row) => `${row.variable}=${localPortOf(row) + 10_000}`).join(' ')} npm start`);
}

const isElsewhere = (target: Patient['target']): boolean => target !== undefined && target.local?.apiUrl !== target.apiUrl;

async function isTaken(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    await once(server.close(), 'close');
    return false;
  } catch {
    return true;
  }
}
