import { CreateBucketCommand, DeleteBucketCommand } from '@aws-sdk/client-s3';
import { Lane } from '../../campaign/lane';
import { Tenants } from '../../campaign/tenants-of-lane';
import { problemsOfGone, problemsOfWhole } from '../../campaign/verdict';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { ApiProblem } from '../../src/cli/api-client';
import { tenantResources } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';

jest.setTimeout(240_000);

let lane: Lane;
let tenants: Tenants;

beforeAll(async () => {
  lane = await Lane.start('clash');
  tenants = await Tenants.begin(lane);
});

afterAll(async () => {
  await lane.stop();
});

/** What the API says: the operation, or its refusal's code. */
const answer = (asked: Promise<Operation>): Promise<Operation | string> =>
  asked.catch((error: unknown) => {
    if (error instanceof ApiProblem) return error.code;
    throw error;
  });

const accepted = (answers: readonly (Operation | string)[]): Operation[] => answers.filter((one): one is Operation => typeof one !== 'string');
const codes = (answers: readonly (Operation | string)[]): string[] => answers.filter((one): one is string => typeof one === 'string');

it('the same request five times at once is one operation', async () => {
  const tenantId = tenants.newId();
  const operations = await Promise.all(Array.from({ length: 5 }, () => lane.beginOnboarding(tenantId, 'five times')));
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(1);
  const ended = await lane.awaitEnd(operations[0]?.operationId ?? '');
  expect(ended.state).toBe('completed');
  expect(await problemsOfWhole(lane, ended, tenants.whole)).toEqual([]);
  tenants.giveBack(tenantId);
});

it('of two operators who onboard one id, one is told that it is taken', async () => {
  const tenantId = tenants.newId();
  const answers = await Promise.all([answer(lane.beginOnboarding(tenantId, 'one')), answer(lane.beginOnboarding(tenantId, 'another'))]);
  expect(codes(answers)).toEqual(['tenant/exists']);
  const [operation] = accepted(answers);
  expect((await lane.awaitEnd(operation?.operationId ?? '')).state).toBe('completed');
  tenants.giveBack(tenantId);
});

const changes: Readonly<Record<string, (tenantId: string, key: string) => Promise<Operation>>> = {
  offboard: (tenantId, key) => lane.beginOffboarding(tenantId, key),
  suspend: (tenantId, key) => lane.call<Operation>('POST', `tenants/${tenantId}/suspend`, { body: {}, idempotencyKey: key }),
};
const pairs = Object.keys(changes).flatMap((one, index, all) => all.slice(index).map((other) => [one, other] as const));

it.each(pairs)('%s and %s at once: one is done, the other one refused, and the tenant is what the one made it', async (one, other) => {
  const tenantId = await tenants.take();
  const [first, second] = await Promise.all([answer(changes[one]?.(tenantId, 'a') as Promise<Operation>), answer(changes[other]?.(tenantId, 'b') as Promise<Operation>)]);
  const operations = await Promise.all(accepted([first, second]).map(({ operationId }) => lane.awaitEnd(operationId)));
  expect(operations.length).toBeGreaterThan(0);
  for (const code of codes([first, second])) expect(['tenant/busy', 'tenant/not-active', 'tenant/suspended']).toContain(code);
  const last = operations.find(({ kind, state }) => kind === 'offboarding' && state === 'completed');
  if (last) {
    expect(await problemsOfGone(lane, last, true)).toEqual([]);
    return;
  }
  expect((await lane.adapters.registry.get(tenantId))?.status).toBe('suspended');
  const left = await lane.awaitEnd((await lane.beginOffboarding(tenantId, 'cleanup')).operationId);
  expect(await problemsOfGone(lane, left, true)).toEqual([]);
});

describe('an onboarding that cannot be', () => {
  const undone = async (tenantId: string) => {
    const ended = await lane.awaitEnd((await lane.beginOnboarding(tenantId, `cannot ${tenantId}`)).operationId);
    expect(ended.state).toBe('undone');
    return ended;
  };

  it('its bucket name is taken: it says so, and leaves the bucket to whose it is', async () => {
    const tenantId = tenants.newId();
    const { s3 } = createPlatformClients({ region: lane.settings.aws.region, endpoint: lane.settings.aws.endpoint });
    const Bucket = tenantResources(tenantId).bucket;
    await s3.send(new CreateBucketCommand({ Bucket }));
    const ended = await undone(tenantId);
    expect(ended.error).toMatchObject({ code: 'infrastructure/name-taken', message: expect.stringContaining(Bucket) as string });
    const left = await lane.remains(tenantId, ended.operationId);
    expect(left.map(({ service, type }) => `${service}:${type}`)).toEqual(['s3:bucket']);
    await s3.send(new DeleteBucketCommand({ Bucket }));
    expect(await problemsOfGone(lane, ended, false)).toEqual([]);
  });

  it.each([
    ['CloudFormation', 'cloudformation', 'CreateStack', 'LimitExceededException', (tenantId: string) => tenantResources(tenantId).stack],
    ['AgentCore', 'bedrock-agentcore', 'POST /memories/create', 'ServiceQuotaExceededException', (tenantId: string) => tenantResources(tenantId).memory],
    ['Cognito', 'cognito-idp', 'AdminCreateUser', 'LimitExceededException', (tenantId: string) => `admin@${tenantId}.example`],
    ['SSM', 'ssm', 'PutParameter', 'ParameterLimitExceeded', (tenantId: string) => tenantResources(tenantId).agentParameter],
  ])('a quota of %s is used up: it says which, and what to do', async (_, service, action, code, nameOf) => {
    const tenantId = tenants.newId();
    const rule = lane.rules.add({ match: { service, action, includes: [nameOf(tenantId)] }, fault: { kind: 'refuse', code, message: 'You have reached the limit', status: 400 } });
    const ended = await undone(tenantId);
    expect(rule.hits).toBeGreaterThan(0);
    expect(ended.error).toMatchObject({ code: 'infrastructure/quota-exceeded', message: expect.stringMatching(/limit.*Ask AWS for a higher quota/s) as string });
    expect(await problemsOfGone(lane, ended, false)).toEqual([]);
  });

  it.each(['ROLLBACK_FAILED', 'ROLLBACK_COMPLETE', 'CREATE_FAILED'])('its stack ends as %s: it is undone, and the stack goes', async (status) => {
    const tenantId = tenants.newId();
    lane.rules.add({
      match: { service: 'cloudformation', action: 'DescribeStacks', includes: [tenantResources(tenantId).stack] },
      fault: { kind: 'rewrite', replace: [{ from: 'CREATE_COMPLETE', to: status }] },
      count: 2,
    });
    const ended = await undone(tenantId);
    expect(ended.error).toMatchObject({ code: 'infrastructure/failed', message: expect.stringContaining(status) as string });
    expect(await problemsOfGone(lane, ended, false)).toEqual([]);
  });
});

it('a stack that cannot be deleted holds the offboarding, visibly, and another attempt ends it', async () => {
  const tenantId = await tenants.take();
  const failing = lane.rules.add({
    match: { service: 'cloudformation', action: 'DescribeStacks', includes: [tenantResources(tenantId).stack] },
    fault: { kind: 'rewrite', replace: [{ from: 'DELETE_COMPLETE', to: 'DELETE_FAILED' }, { from: 'DELETE_IN_PROGRESS', to: 'DELETE_FAILED' }] },
  });
  const { operationId } = await lane.beginOffboarding(tenantId, 'delete failed');
  const seen = await lane.awaitOperation(operationId, ({ steps, finishedAt }) => finishedAt !== undefined || steps.some(({ name, attempt = 1 }) => name === 'delete_infrastructure' && attempt > 1));
  expect(seen.steps.find(({ name }) => name === 'delete_infrastructure')?.error).toContain('DELETE_FAILED');
  failing.remove();
  const ended = await lane.awaitEnd(operationId);
  expect(ended.state).toBe('completed');
  expect(await problemsOfGone(lane, ended, true)).toEqual([]);
});

it('harmed nobody, and leaves nothing', async () => {
  expect(await tenants.problemsOfBystander()).toEqual([]);
  expect(await tenants.end()).toEqual([]);
});
