import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { RuleBook } from '../../../campaign/wire/rules';
import { TemporalProxy } from '../../../campaign/wire/temporal-proxy';
import { createOperations } from '../../../src/adapters/temporal/operations';
import { loadConfig } from '../../../src/config';
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

describe('a look at an operation that Temporal, or the worker it asks, fails at', () => {
  const rules = new RuleBook();
  const proxy = new TemporalProxy(loadConfig().temporal.address, rules);
  let connection: Connection;
  beforeAll(async () => {
    connection = Connection.lazy({ address: await proxy.start() });
  });
  afterAll(async () => {
    await connection.close();
    proxy.stop();
  });

  it.each([
    // So the server says that the worker failed at the query; the SDK takes it for a query that nobody answers.
    ['INVALID_ARGUMENT', 'dependency/unavailable'],
    ['UNKNOWN', 'dependency/unavailable'],
    ['ABORTED', 'dependency/unavailable'],
    ['PERMISSION_DENIED', 'dependency/denied'],
  ])('with %s: %s', async (code, expected) => {
    const rule = rules.add({ match: { service: 'temporal', action: 'QueryWorkflow' }, fault: { kind: 'refuse', code } });
    await expect(createOperations(new Client({ connection }), 1_000).get(operationId)).rejects.toMatchObject({ code: expected });
    expect(rule.hits).toBeGreaterThan(0);
    rule.remove();
  });
});
