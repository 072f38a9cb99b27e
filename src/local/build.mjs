import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { lock } from 'proper-lockfile';

/**
 * Builds `dist`, in `dist.next` until that is whole: a stack may run from the build before, and starts a process of it again when
 * one dies. Builds of one folder take turns: `npm test` may begin beside `npm start`.
 */
const [place, next] = ['dist', 'dist.next'];

// The lock of a build that was killed is taken over ten seconds later.
const release = await lock(place, { realpath: false, lockfilePath: `${place}.lock`, stale: 10_000, retries: { forever: true, minTimeout: 200, maxTimeout: 500 } });
try {
  process.exitCode = await build();
} finally {
  await release();
}

/** @returns the exit code: of the step that failed, which has said why. */
async function build() {
  rmSync(next, { recursive: true, force: true });
  const failure = (await run('.', path.resolve('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json')) || (await run(next, 'workflows/bundle.js'));
  if (failure) return failure;
  // npx does so only for the first build that it meets: `npx tenure` was refused after the next.
  chmodSync(`${next}/cli/main.js`, 0o755);
  takePlace();
  return 0;
}

function takePlace() {
  if (existsSync(place)) renameSync(place, `${next}/.before`);
  renameSync(next, place);
  rmSync(`${place}/.before`, { recursive: true, force: true });
}

async function run(cwd, ...args) {
  const [code] = await once(spawn(process.execPath, args, { cwd, stdio: 'inherit' }), 'exit');
  return code ?? 1;
}
