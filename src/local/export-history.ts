import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { loadConfig } from '../config';

/** Saves a run's history for the replay tests: `npm run history:export -- <workflow id> [file name]`. */
async function main(): Promise<void> {
  const [workflowId, name] = process.argv.slice(2);
  if (workflowId === undefined) throw new Error('Which workflow? npm run history:export -- <workflow id> [file name]');
  const { temporal } = loadConfig();
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const client = new Client({ connection, namespace: temporal.namespace });
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    const file = path.join('test/replay/histories', `${name ?? workflowId.replaceAll('/', '_')}.json`);
    await writeFile(file, `${historyToJSON(history)}\n`);
    console.log(`${history.events?.length ?? 0} events in ${file}`);
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
