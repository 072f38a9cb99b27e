import { Client, Connection, type DataConverter } from '@temporalio/client';
import type { Dependency } from '../../ports/readiness';

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  /** For Temporal Cloud; turns TLS on. */
  readonly apiKey: string | undefined;
}

/** What client and worker need to reach the same server. */
export const connectionOptions = ({ address, apiKey }: TemporalSettings) => ({
  address,
  ...(apiKey !== undefined && { apiKey, tls: true }),
});

/** A client that connects when it is first used: the process starts, and says that it is not ready, without Temporal. */
export function createTemporalClient(settings: TemporalSettings, dataConverter: DataConverter): { client: Client; dependency: Dependency; close: () => Promise<void> } {
  const connection = Connection.lazy(connectionOptions(settings));
  const client = new Client({ connection, namespace: settings.namespace, dataConverter });
  return {
    client,
    dependency: {
      name: 'temporal',
      check: async () => {
        await connection.withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({}));
      },
    },
    close: () => connection.close(),
  };
}
