import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { bootstrapPlatform } from '../../src/bootstrap';
import { loadConfig } from '../../src/config';
import { startStack } from '../../src/local/stack';

/** One stack for all test files, on free ports; nothing of it is kept. `TENURE_TEST_STACK=none` runs without. */
export default async function setup(): Promise<void> {
  const bundles = await mkdtemp(path.join(os.tmpdir(), 'tenure-test-bundles-'));
  process.env['TENURE_TEST_BUNDLES'] = bundles;
  const removeBundles = () => rm(bundles, { recursive: true, force: true });
  globalThis.stopTestStack = removeBundles;
  if (process.env['TENURE_TEST_STACK'] === 'none') return;
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-test-'));
  const stack = await startStack({ stateDir, keepsState: false, restart: false, onProgress: (line) => process.stderr.write(`  ${line}\n`) });
  Object.assign(process.env, stack.env, { TEMPORAL_TEST_SERVER: stack.tools.temporalTestServer, TEMPORAL_SERVER: stack.tools.temporal, LOG_LEVEL: 'fatal' });
  await bootstrapPlatform(loadConfig());
  globalThis.stopTestStack = async () => {
    await stack.stop();
    await Promise.all([rm(stateDir, { recursive: true, force: true }), removeBundles()]);
  };
}

declare global {
  var stopTestStack: (() => Promise<void>) | undefined;
}
