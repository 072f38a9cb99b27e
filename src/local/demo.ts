import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { localAccounts } from '../cli/accounts';
import { ApiClient } from '../cli/api-client';
import { OrdersServer } from './demo/orders-server';
import { Report } from './demo/report';
import { tellStory } from './demo/story';
import { startPlatform } from './platform';

/** Plays the whole story against the real API on a stack of its own, and fails unless every claim held. */
async function main(): Promise<boolean> {
  const report = new Report();
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-demo-'));
  const orders = await OrdersServer.start();
  const platform = await report.tell('Start the local stack: Temporal, AWS, Valkey, a model; then api and worker', () =>
    startPlatform({ stateDir, keepsState: false, restart: true, onProgress: (line) => report.say(line) }),
  );
  const stop = async () => {
    orders.stop();
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  process.once('SIGINT', () => void stop().finally(() => process.exit(130)));
  try {
    report.say(`API ${platform.settings.apiUrl} · Temporal UI ${platform.settings.temporalUiUrl}`);
    await tellStory({
      report,
      orders,
      api: new ApiClient(platform.settings.apiUrl),
      accounts: localAccounts(platform.settings),
      temporalUiUrl: platform.settings.temporalUiUrl,
      killWorker: () => platform.services.worker.kill('SIGKILL'),
    });
  } finally {
    await stop();
  }
  return report.summarize();
}

main().then(
  (held) => (process.exitCode = held ? 0 : 1),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
