import { Client, Connection, type DataConverter, isGrpcServiceError } from '@temporalio/client';
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

const answerWithinMs = 2_000;
const deadlineExceeded = 4;

/** gRPC tells the inside of its connection when the time is up. */
function reasonOf(error: unknown): string {
  if (!isGrpcServiceError(error)) return String(error);
  return (error.code as number) === deadlineExceeded ? `nothing within ${answerWithinMs / 1_000} s` : error.details;
}

/** A client that connects when it is first used: the process starts, and says that it is not ready, without Temporal. */
export function createTemporalClient(settings: TemporalSettings, dataConverter: DataConverter): { client: Client; dependency: Dependency; close: () => Promise<void> } {
  const connection = Connection.lazy(connectionOptions(settings));
  const client = new Client({ connection, namespace: settings.namespace, dataConverter });
  return {
    client,
    dependency: {
      name: 'temporal',
      check: async () => {
        await connection.withDeadline(Date.now() + answerWithinMs, () => connection.workflowService.getSystemInfo({})).catch((error: unknown) => {
          throw new Error(`Temporal does not answer: ${reasonOf(error)}`, { cause: error });
        });
      },
    },
    close: () => connection.close(),
  };
}
