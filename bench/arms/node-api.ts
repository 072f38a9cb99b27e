import express from 'express';
import type { AddressInfo } from 'node:net';
import type { ModelMessage } from '../../src/contracts/model';
import { turnSteps } from './steps';

/** The floor: the same steps in one process that forgets everything when it dies. */
const steps = turnSteps(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const app = express();
app.use(express.json());
app.post('/sessions/:id', async (request, response) => {
  const { text } = request.body as { text: string };
  const question: ModelMessage = { role: 'user', content: [{ text }] };
  const wish = await steps.callModel([question]);
  const result = await steps.runTool(wish);
  const last = await steps.callModel([question, wish, result]);
  response.json({ answer: last.content });
});
const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
