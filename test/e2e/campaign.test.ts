import { allCases, type Case, idOf, isAlone, pointsOf } from '../../campaign/cases';
import { faultNames } from '../../campaign/faults';
import { Lane } from '../../campaign/lane';
import { campaignKinds } from '../../campaign/points';
import { runCase } from '../../campaign/run-case';
import { Tenants } from '../../campaign/tenants-of-lane';
import { operationSteps } from '../../src/contracts/names';

/** A few of `npm run campaign:lifecycle`: every fault at least once, both operations, both directions. */
const sample = [
  'onboarding/infrastructure/forward/CreateStack/answer-lost',
  'onboarding/memory/forward/CreateMemory/denied',
  'onboarding/config/forward/PutParameter/cancelled',
  'onboarding/worker/forward/answer-of-handshake/refused',
  'onboarding/infrastructure/undo/DeleteStack/answer-lost',
  'onboarding/memory/undo/DeleteMemory/times-out',
  'onboarding/reserve/undo/DeleteItem-registry/throttled',
  'offboarding/block/undo/UpdateItem-registry-(back)/refused',
  'offboarding/delete_infrastructure/forward/DeleteStack/cancelled',
  'onboarding/memory/forward/CreateMemory/killed',
  'onboarding/reserve/forward/PutItem-registry/half-done',
];

let lane: Lane;
let tenants: Tenants;

beforeAll(async () => {
  lane = await Lane.start('sample');
  tenants = await Tenants.begin(lane);
});

afterAll(async () => {
  await lane.stop();
});

it.each(campaignKinds)('knows for every step of %s what to hurt', (kind) => {
  const lacking = operationSteps[kind].filter((step) => pointsOf(kind, step).forward.length === 0);
  expect(lacking).toEqual([]);
});

it('ends every case of the sample complete or with nothing, and harms nobody else', async () => {
  const cases = sample.map((id) => allCases().find((one) => idOf(one) === id));
  expect(cases).not.toContain(undefined);
  const known = cases as Case[];
  expect(new Set(known.map(({ fault }) => fault))).toEqual(new Set(faultNames));
  const together = await Promise.all(known.filter((one) => !isAlone(one)).map((one) => runCase(lane, tenants, one)));
  for (const one of known.filter(isAlone)) together.push(await runCase(lane, tenants, one));
  expect(together.flatMap(({ id, problems }) => problems.map((problem) => `${id}: ${problem}`))).toEqual([]);
  expect(await tenants.end()).toEqual([]);
});
