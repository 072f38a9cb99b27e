import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { installLocalTools } from '../../src/local/python';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'tenure-python-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What somebody reads who lacks something. */
async function refusal(env: NodeJS.ProcessEnv): Promise<string> {
  const directory = path.join(folder, 'venv');
  const failure = await installLocalTools({ directory, env, onProgress: () => undefined }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof Error)) throw new Error('The installation did not fail.');
  expect(failure.message).toContain('docker compose up');
  return failure.message;
}

/** A Python on a PATH that has nothing else. */
async function fakePython(script: string): Promise<NodeJS.ProcessEnv> {
  const file = path.join(folder, 'python3');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return { PATH: folder };
}

/** The machine's Python; only the package index is another. */
const withIndex = (url: string): NodeJS.ProcessEnv => ({ ...process.env, PIP_INDEX_URL: url, PIP_CONFIG_FILE: '/dev/null', PIP_RETRIES: '0', PIP_NO_CACHE_DIR: '1' });

it('names Python when there is none', async () => {
  expect(await refusal({ PATH: folder })).toMatch(/needs Python 3\.10 or later; there is none as python3 or python\. Install it, or set TENURE_PYTHON/);
});

it('names the Python that is too old', async () => {
  expect(await refusal(await fakePython('echo 3.9.18'))).toMatch(/needs Python 3\.10 or later; python3 is 3\.9\.18\./);
});

it('believes TENURE_PYTHON, and says so when it is wrong', async () => {
  const env = await fakePython('echo 3.12.1');
  expect(await refusal({ ...env, TENURE_PYTHON: '/no/such/python' })).toContain('there is none as /no/such/python');
});

it('says how to install venv where Python comes without', async () => {
  const env = await fakePython('if [ "$1" = -c ]; then echo 3.12.1; else echo "ensurepip is not available" >&2; exit 1; fi');
  expect(await refusal(env)).toMatch(/cannot make a virtual environment \(.*ensurepip is not available.*\).*apt-get install python3-venv/);
});

it('says that the disk is full', async () => {
  const env = await fakePython('if [ "$1" = -c ]; then echo 3.12.1; else echo "OSError: [Errno 28] No space left on device" >&2; exit 1; fi');
  expect(await refusal(env)).toMatch(/^There is no room on the disk/);
});

it('says that the package index cannot be reached', async () => {
  expect(await refusal(withIndex('http://127.0.0.1:1/simple'))).toMatch(/^The package index cannot be reached: .*PIP_INDEX_URL/);
});

it('names the package that has no build for this platform', async () => {
  const index = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>empty</title>')).listen(0, '127.0.0.1');
  await once(index, 'listening');
  const message = await refusal(withIndex(`http://127.0.0.1:${(index.address() as AddressInfo).port}/simple`));
  expect(message).toMatch(/^\S+==\S+ has no build for this platform \(\w+, \w+\)\./);
  index.close();
  index.closeAllConnections();
});
