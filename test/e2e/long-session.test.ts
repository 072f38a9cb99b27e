import { longSession } from '../../campaign/sessions/long-session';
import { startStage } from '../../campaign/sessions/stage';
import { eventsPerRun } from '../../src/domain/session';

let stage: Awaited<ReturnType<typeof startStage>>;

beforeAll(async () => {
  stage = await startStage();
  await stage.platform.model.timing({ firstTokenMs: 0, msPerToken: 0 });
});

afterAll(() => stage.stop());

it('answers 60 turns, continues as new, and leaves as much history for the last turn as for the first', async () => {
  const { problems, runs, eventsPerTurn, longestRun } = await longSession(stage, 60);
  expect(problems).toEqual([]);
  expect(runs).toBe(Math.ceil((60 * eventsPerTurn[0]) / eventsPerRun));
  expect(longestRun).toBeLessThan(eventsPerRun + 2 * eventsPerTurn[1]);
  // A message that comes while a workflow task runs saves one: the lengths of two runs differ by a little, not by their age.
  const [least, most] = eventsPerTurn;
  expect(most - least).toBeLessThan(1);
});
