import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { createOperations } from '../../../src/adapters/temporal/operations';
import { operationIds } from '../../../src/contracts/names';
import { offboardingRequest } from '../../workflows/lifecycle-script';

const operationId = operationIds.of('onboarding', 'acme', '0123456789abcdefghjkmnpqrs');

/** A port that was free a moment ago: nobody answers there. */
async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `127.0.0.1:${address.port}`;
}

it('says that Temporal is not there, and when to come back', async () => {
  const connection = Connection.lazy({ address: await deadAddress() });
  const operations = createOperations(new Client({ connection }), 500);
  const unavailable = { code: 'dependency/unavailable', retryAfterSeconds: expect.any(Number) as unknown };
  await expect(operations.get(operationId)).rejects.toMatchObject(unavailable);
  await expect(operations.cancel(operationId)).rejects.toMatchObject(unavailable);
  await expect(operations.start('offboarding', operationId, offboardingRequest)).rejects.toMatchObject(unavailable);
  await connection.close();
});
