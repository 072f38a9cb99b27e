import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import express from 'express';
import type { AddressInfo } from 'node:net';
import { ask } from './bare-workflow';

/** The thinnest HTTP in front of it: one update-with-start a request. */
async function main(): Promise<void> {
  const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });
  const app = express();
  app.use(express.json());
  app.post('/sessions/:id', async (request, response) => {
    const { text } = request.body as { text: string };
    const answer = await client.workflow.executeUpdateWithStart(ask, {
      args: [text],
      startWorkflowOperation: new WithStartWorkflowOperation('bare', {
        workflowId: `bare-${request.params.id}`,
        taskQueue: 'bare',
        args: [],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    });
    response.json({ answer });
  });
  const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
