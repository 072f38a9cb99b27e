import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { createSchedules } from '../../src/adapters/temporal/schedules';
import { connectionOptions } from '../../src/adapters/temporal/connection';
import { ensureSearchAttributes } from '../../src/adapters/temporal/search-attributes';
import { loadConfig } from '../../src/config';
import { platformOwner } from '../../src/contracts/names';

/**
 * A namespace of Temporal's for this test file: workers of other files, with other settings, take none of its tasks. Call it before what reads the configuration.
 */
export async function useOwnNamespace(): Promise<void> {
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect(connectionOptions(loadConfig().temporal));
  try {
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
    const client = new Client({ connection, namespace });
    // Until the server's own caches know it.
    while (!(await isKnown(connection, client)));
    await createSchedules(client).ensure(platformOwner);
  } finally {
    await connection.close();
  }
  process.env['TEMPORAL_NAMESPACE'] = namespace;
}

async function isKnown(connection: Connection, client: Client): Promise<boolean> {
  try {
    await ensureSearchAttributes(connection, client.options.namespace);
    await client.workflow.count('TenantId = "nobody"');
    return true;
  } catch {
    return false;
  }
}
