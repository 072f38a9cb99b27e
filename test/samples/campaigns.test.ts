import { allCases, type Case, idOf } from '../../campaign/cases';
import { Lane } from '../../campaign/lane';
import { runCase } from '../../campaign/run-case';
import { duplicates } from '../../campaign/sessions/floods';
import { harms } from '../../campaign/sessions/harms';
import { startStage } from '../../campaign/sessions/stage';
import { Tenants } from '../../campaign/tenants-of-lane';

/** A little of the campaigns on faults, so that no change goes without: `npm run test:e2e` has more, the campaigns have all. */

describe('a conversation', () => {
  let stage: Awaited<ReturnType<typeof startStage>>;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.stop());

  it.each(['worker killed in a tool', 'api killed in the answer'])('loses and repeats nothing: %s', async (id) => {
    const harm = harms.find((one) => one.id === id);
    expect(await harm?.run(stage, 1)).toEqual({ turns: 1, problems: [] });
  });

  it('takes each message once, however often it comes', async () => {
    expect((await duplicates.run(stage, 10)).problems).toEqual([]);
  });
});

describe('the life of a tenant', () => {
  const sample = ['onboarding/infrastructure/forward/CreateStack/answer-lost', 'onboarding/memory/forward/CreateMemory/killed', 'onboarding/infrastructure/undo/DeleteStack/answer-lost', 'offboarding/delete_infrastructure/forward/DeleteStack/cancelled'];
  let lane: Lane;
  let tenants: Tenants;
  beforeAll(async () => {
    lane = await Lane.start('sample');
    tenants = await Tenants.begin(lane);
  });
  afterAll(() => lane.stop());

  it.each(sample)('is complete, or leaves nothing: %s', async (id) => {
    const { problems } = await runCase(lane, tenants, allCases().find((one) => idOf(one) === id) as Case);
    expect(problems).toEqual([]);
  });

  it('harms nobody beside it', async () => {
    expect(await tenants.end()).toEqual([]);
  });
});
