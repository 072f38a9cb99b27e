import { Client, Connection } from '@temporalio/client';
import { workflowIds } from '../../src/contracts/names';
import { turnsPerRun } from '../../src/domain/session';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

jest.setTimeout(180_000);

let platform: RunningPlatform;
let connection: Connection;

beforeAll(async () => {
  platform = await runPlatform();
  await platform.model.timing({ firstTokenMs: 0, msPerToken: 0 });
  connection = await Connection.connect({ address: platform.stack.env['TEMPORAL_ADDRESS'] ?? '' });
  await platform.onboard('acme');
});

afterAll(async () => {
  await connection.close();
  await platform.stop();
});

it('answers 60 turns, continues as new, and leaves as much history for the last turn as for the first', async () => {
  const user = await platform.user('acme');
  const sessionId = await user.open();
  const { workflow } = new Client({ connection });
  const workflowId = workflowIds.session('acme', sessionId);
  const runIds = new Set<string>();
  for (let turn = 1; turn <= 60; turn += 1) {
    const { outcome, answer } = await user.ask(sessionId, `What is ${turn}*7?`);
    expect([outcome, answer]).toEqual(['completed', `${turn}*7 is ${turn * 7}.`]);
    runIds.add((await workflow.getHandle(workflowId).describe()).runId);
  }
  expect(runIds.size).toBe(1 + Math.floor(60 / turnsPerRun));
  const [first, second] = await Promise.all([...runIds].slice(0, 2).map((runId) => workflow.getHandle(workflowId, runId).describe()));
  // A message that comes while a workflow task runs saves one: the lengths of two runs differ by a little, not by their age.
  expect(Math.abs((first?.historyLength ?? 0) - (second?.historyLength ?? 0))).toBeLessThan(turnsPerRun);
  const log = await user.log(sessionId);
  expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(60);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
});
