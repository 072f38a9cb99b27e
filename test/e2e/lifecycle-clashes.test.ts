import { CreateBucketCommand, DeleteBucketCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { Lane } from '../../campaign/lane';
import { Tenants } from '../../campaign/tenants-of-lane';
import { problemsOfGone, problemsOfWhole } from '../../campaign/verdict';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { callerAccount } from '../../src/adapters/aws/tenant-access';
import { verifyCertificate } from '../../src/adapters/certificate-signature';
import { ApiProblem } from '../../src/cli/api-client';
import type { SignedCertificate } from '../../src/contracts/certificate';
import type { PublicKey } from '../../src/contracts/public-key';
import type { OwnedResource } from '../../src/contracts/inventory';
import { objectKeys, platformResources, tenantResources, workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';

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

const registryWrite = (tenantId: string, part: string) => ({ service: 'dynamodb', action: 'UpdateItem', includes: [`"${platformResources.registryTable}"`, `"${tenantId}"`, part] });
const lookAtSchedules = (tenantId: string) => ({ service: 'temporal', action: 'DescribeSchedule', includes: [`${tenantId}/schedules/`] });
const ask = (tenantId: string, key: string, path: string, body: object = {}) => lane.call<Operation>('POST', `tenants/${tenantId}/${path}`, { body, idempotencyKey: key });

/** What operators do to a tenant that works, and a request it makes once it has the tenant. */
const changes = {
  offboard: { begin: (tenantId: string, key: string) => lane.beginOffboarding(tenantId, key), heldAt: lookAtSchedules },
  suspend: { begin: (tenantId: string, key: string) => ask(tenantId, key, 'suspend'), heldAt: lookAtSchedules },
  'change the tier': { begin: (tenantId: string, key: string) => ask(tenantId, key, 'tier', { tier: 'premium' }), heldAt: (tenantId: string) => registryWrite(tenantId, '"tier"') },
  'rotate the key': { begin: (tenantId: string, key: string) => ask(tenantId, key, 'rotate-key'), heldAt: (tenantId: string) => registryWrite(tenantId, '"keyGeneration"') },
} as const;
type Change = keyof typeof changes;
const changeNames = Object.keys(changes) as Change[];

/** Begins a change, and holds it where it has the tenant. */
async function hold(tenantId: string, change: Change): Promise<{ operation: Operation; letGo: () => void }> {
  const rule = lane.rules.add({ match: changes[change].heldAt(tenantId), fault: { kind: 'hold' } });
  const operation = await changes[change].begin(tenantId, 'the first');
  await rule.reached;
  return { operation, letGo: () => rule.remove() };
}

/** What these operations make of a tenant that was active, one after the other. @returns what is wrong. */
async function problemsOfOutcome(tenantId: string, ended: readonly Operation[]): Promise<string[]> {
  const unfinished = ended.filter(({ state }) => state !== 'completed').map(({ kind, state, error }) => `${kind} ended ${state} (${error?.code ?? ''})`);
  const kinds = ended.map(({ kind }) => kind);
  const leaving = ended.find(({ kind }) => kind === 'offboarding');
  if (leaving) return [...unfinished, ...(await problemsOfGone(lane, leaving, true))];
  const { status, tier, claimedBy } = (await lane.adapters.registry.get(tenantId)) ?? {};
  const wanted = { status: kinds.includes('suspension') ? 'suspended' : 'active', tier: kinds.includes('tierChange') ? 'premium' : 'standard', claimedBy: undefined };
  if (JSON.stringify({ status, tier, claimedBy }) !== JSON.stringify(wanted)) unfinished.push(`it is ${JSON.stringify({ status, tier, claimedBy })} after ${kinds.join(' and ')}`);
  const left = await lane.awaitEnd((await lane.beginOffboarding(tenantId, 'cleanup')).operationId);
  return [...unfinished, ...(await problemsOfGone(lane, left, true))];
}

it('while one operation works on a tenant every other one is refused, told which, and changes nothing', async () => {
  const clash = async (first: Change): Promise<string[]> => {
    const tenantId = await tenants.take();
    const { operation, letGo } = await hold(tenantId, first);
    const answers = await Promise.all(
      changeNames.map((other) =>
        changes[other].begin(tenantId, 'the second').then(
          () => `${other} was accepted`,
          (error: unknown) => (error instanceof ApiProblem && error.code === 'tenant/busy' && error.message.includes(operation.operationId) ? '' : `${other}: ${String(error)}`),
        ),
      ),
    );
    letGo();
    const ended = await lane.awaitEnd(operation.operationId);
    return [...answers.filter((one) => one !== ''), ...(await problemsOfOutcome(tenantId, [ended]))].map((problem) => `${first}: ${problem}`);
  };
  expect((await Promise.all(changeNames.map(clash))).flat()).toEqual([]);
});

it('of two at once each is done or refused, and the tenant is what those that were done made it', async () => {
  const pairs = changeNames.flatMap((one, index) => changeNames.slice(index).map((other) => [one, other] as const));
  const clash = async ([one, other]: (typeof pairs)[number]): Promise<string[]> => {
    const tenantId = await tenants.take();
    const answers = await Promise.all([answer(changes[one].begin(tenantId, 'a')), answer(changes[other].begin(tenantId, 'b'))]);
    const ended = await Promise.all(accepted(answers).map(({ operationId }) => lane.awaitEnd(operationId)));
    const odd = codes(answers).filter((code) => code !== 'tenant/busy' && code !== 'tenant/suspended').map((code) => `refused with ${code}`);
    const outcome = ended.length === 0 ? ['none was done'] : await problemsOfOutcome(tenantId, ended);
    return [...odd, ...outcome].map((problem) => `${one} and ${other}: ${problem}`);
  };
  expect((await Promise.all(pairs.map(clash))).flat()).toEqual([]);
});

/** An operator, not knowing better, ends an operation's workflow in Temporal while it has the tenant. */
async function terminated(tenantId: string, change: Change): Promise<void> {
  const { operation, letGo } = await hold(tenantId, change);
  expect((await lane.adapters.registry.get(tenantId))?.claimedBy).toBe(operation.operationId);
  await lane.adapters.temporalClient.workflow.getHandle(workflowIds.operation(operation.operationId)).terminate('an operator is impatient');
  letGo();
}

it('what was terminated in Temporal keeps nobody from the tenant: the next operation takes it over', async () => {
  const [staying, leaving] = await Promise.all([tenants.take(), tenants.take()]);
  await Promise.all([terminated(staying, 'rotate the key'), terminated(leaving, 'change the tier')]);

  const left = await lane.awaitEnd((await changes.offboard.begin(leaving, 'next')).operationId);
  expect(left.state).toBe('completed');
  expect(await problemsOfGone(lane, left, true)).toEqual([]);

  const suspended = await changes.suspend.begin(staying, 'next');
  // Only once: the claim that was taken over is a claim like any other.
  expect(await answer(changes['rotate the key'].begin(staying, 'too soon'))).toBe('tenant/busy');
  expect((await lane.awaitEnd(suspended.operationId)).state).toBe('completed');
  expect((await lane.awaitEnd((await ask(staying, 'back', 'resume')).operationId)).state).toBe('completed');
  const { status, claimedBy } = (await lane.adapters.registry.get(staying)) ?? {};
  expect({ status, claimedBy }).toEqual({ status: 'active', claimedBy: undefined });
  tenants.giveBack(staying);
});

const nameOf = ({ service, type, name }: OwnedResource): string => `${service} ${type} ${name}`;

it('the worker dies between the last look and the certificate: there is one certificate, and what it says is so', async () => {
  const tenantId = await tenants.take();
  const owned = await lane.inventory(tenantId, 'none');
  const rule = lane.rules.add({ match: registryWrite(tenantId, '":tombstone"'), fault: { kind: 'hold' } });
  const { operationId } = await lane.beginOffboarding(tenantId, 'killed at the end');
  await rule.reached;
  const killedAt = new Date().toISOString();
  lane.killWorker();
  rule.remove();
  const ended = await lane.awaitEnd(operationId);
  expect(ended.state).toBe('completed');
  expect(await problemsOfGone(lane, ended, true)).toEqual([]);

  const signed = await lane.call<SignedCertificate>('GET', `tenants/${tenantId}/certificate`);
  const { jwk } = await lane.call<{ jwk: PublicKey }>('GET', 'certificates/key');
  expect(await verifyCertificate(signed, jwk)).toMatchObject({ isValid: true });
  const { certificate } = signed;
  expect(certificate).toMatchObject({ tenantId, operationId });
  const named = new Set(certificate.resources.map(nameOf));
  // Schedules go before deletion begins, while it can still be called off: the certificate has what there was when it began.
  expect(owned.filter(({ service }) => service !== 'temporal').map(nameOf).filter((name) => !named.has(name))).toEqual([]);
  for (const { outcome, service, checkedAt } of certificate.resources) {
    if (outcome === 'kept') expect(['audit', 'kms', 'registry']).toContain(service);
    expect(checkedAt > killedAt).toBe(true);
  }
  const { s3, sts } = createPlatformClients({ region: lane.settings.aws.region, endpoint: lane.settings.aws.endpoint });
  const { accountId } = await callerAccount(sts);
  const Prefix = objectKeys.certificate(tenantId, operationId, 'certificate.json');
  expect((await s3.send(new ListObjectVersionsCommand({ Bucket: platformResources.backupBucket(accountId), Prefix }))).Versions).toHaveLength(1);
});

it('a worker that cannot read an operation is no bug of the API: it says so, and to come again', async () => {
  const { operationId } = tenants.bystander;
  const look = async () => answer(lane.api.call<Operation>(`/api/v1/operations/${operationId}`, { token: await lane.operator() }));
  const away = lane.rules.add({ match: { service: 'kms', action: 'Decrypt' }, fault: { kind: 'refuse', code: 'KMSInternalException', status: 500 } });
  // A new one has nothing in its memory: to answer for an operation that has ended, it must read its history.
  lane.killWorker();
  const answers: unknown[] = [];
  while (away.hits === 0) answers.push(await look());
  answers.push(await look());
  away.remove();
  expect(new Set(answers)).toEqual(new Set(['dependency/unavailable']));
  expect(await lane.operation(operationId)).toMatchObject({ operationId, state: 'completed' });
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

  it("its stack's key is one too many for KMS: it says that it is a quota, and what to do", async () => {
    const tenantId = tenants.newId();
    const { stack } = tenantResources(tenantId);
    const reason = 'Resource handler returned message: &quot;You have reached the limit of keys (Service: Kms, Status Code: 400)&quot; (HandlerErrorCode: ServiceLimitExceeded)';
    const event = `<member><LogicalResourceId>Key</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>${reason}</ResourceStatusReason></member>`;
    const tell = (action: string, from: string, to: string) => lane.rules.add({ match: { service: 'cloudformation', action, includes: [stack] }, fault: { kind: 'rewrite', replace: [{ from, to }] }, count: 1 });
    // CloudFormation makes the key itself: that KMS refused it is known by what CloudFormation tells.
    const rules = [tell('DescribeStacks', 'CREATE_COMPLETE', 'ROLLBACK_COMPLETE'), tell('DescribeStackEvents', '<StackEvents>', `<StackEvents>${event}`)];
    const ended = await undone(tenantId);
    expect(rules.map(({ hits }) => hits)).toEqual([1, 1]);
    expect(ended.error).toMatchObject({ code: 'infrastructure/quota-exceeded', message: expect.stringMatching(/Key: .*limit of keys.*Ask AWS for a higher quota/s) as string });
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
