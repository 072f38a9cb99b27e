import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { decryptHistory } from '../adapters/temporal/history-codec';
import { readLocalSettings } from '../cli/settings';
import { createAdapters } from '../composition';
import { loadConfig } from '../config';
import { createLogger } from '../logging';

/**
 * Saves a run's history for the replay tests: `npm run history:export -- <workflow id> [file name]`. It is saved decrypted, so
 * that replay needs no key: export histories of made-up conversations only.
 */
async function main(): Promise<void> {
  const [workflowId, name] = process.argv.slice(2);
  if (workflowId === undefined) throw new Error('Which workflow? npm run history:export -- <workflow id> [file name]');
  await useLocalStack();
  const adapters = createAdapters(loadConfig(), createLogger('export', 'fatal'));
  try {
    const encrypted = await adapters.temporalClient.workflow.getHandle(workflowId).fetchHistory();
    const history = await decryptHistory(adapters.dataConverter.payloadCodecs[0], encrypted);
    const file = path.join('test/replay/histories', `${name ?? workflowId.replaceAll('/', '_')}.json`);
    await writeFile(file, `${historyToJSON(history)}\n`);
    console.log(`${history.events?.length ?? 0} events in ${file}`);
  } finally {
    await adapters.close();
  }
}

/** Where `npm start` runs, and its keys; what the environment says goes first. */
async function useLocalStack(): Promise<void> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  if (process.env['AWS_ENDPOINT_URL'] !== undefined) return;
  const { aws, temporalAddress } = await readLocalSettings();
  process.env['TEMPORAL_ADDRESS'] ??= temporalAddress;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_REGION: aws.region,
    AWS_ACCESS_KEY_ID: aws.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
  });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
