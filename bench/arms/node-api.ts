import express from 'express';
import type { AddressInfo } from 'node:net';
import { turnSteps } from './steps';
import { takeTurn } from './turn';

/** The floor: the same steps in one process that forgets everything when it dies. */
const steps = turnSteps(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const app = express();
app.use(express.json());
app.post('/sessions/:id', async (request, response) => {
  const { text } = request.body as { text: string };
  response.json({ answer: await takeTurn(steps, text) });
});
const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
