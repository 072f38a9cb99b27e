import { Client, Connection } from '@temporalio/client';
import { workflowIds } from '../../src/contracts/names';
import { turnsPerRun } from '../../src/domain/session';
import { type RunningPlatform, runPlatform } from './platform';

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
  const handle = new Client({ connection }).workflow.getHandle(workflowIds.session('acme', sessionId));
  const runs = new Set<string>();
  const growth: number[] = [];
  let before = { runId: '', historyLength: 0 };
  for (let turn = 1; turn <= 60; turn += 1) {
    const { outcome, answer } = await user.ask(sessionId, `What is ${turn}*7?`);
    expect([outcome, answer]).toEqual(['completed', `${turn}*7 is ${turn * 7}.`]);
    const { runId, historyLength } = await handle.describe();
    runs.add(runId);
    if (runId === before.runId) growth.push(historyLength - before.historyLength);
    before = { runId, historyLength };
  }
  expect(runs.size).toBe(1 + Math.floor(60 / turnsPerRun));
  const typical = growth.toSorted((a, b) => a - b)[Math.floor(growth.length / 2)] ?? 0;
  // The answer may be read before or after the turn's last workflow task: three events more or less.
  for (const events of growth) expect(Math.abs(events - typical)).toBeLessThanOrEqual(4);
  const log = await user.log(sessionId);
  expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(60);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
});
