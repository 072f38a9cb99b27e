import { DescribeAlarmsCommand, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { DeleteRolePolicyCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createMaintenanceActivities } from '../../src/activities/maintenance';
import { createIsolationProbe, type IsolationProbeDeps } from '../../src/adapters/isolation-probe/probe';
import { createValkey } from '../../src/adapters/valkey/connection';
import { loadConfig } from '../../src/config';
import type { ProbeAttempt, ProbeResult } from '../../src/contracts/isolation';
import type { MaintenanceReport } from '../../src/contracts/maintenance';
import { metrics, platformResources, probedBesides, type ProbedKind, tenantResources } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { createLogger } from '../../src/logging';
import { access, aws, newSession, settings } from '../adapters/aws/tenants';
import { useOwnNamespace } from '../support/own-namespace';
import { type Account, newTenant, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

const valkey = createValkey(loadConfig().valkey.url, createLogger('worker', 'silent'));

let api: RunningApi;
let operator: Account;
let tenant: ServedTenant;
let other: ServedTenant;
beforeAll(async () => {
  await useOwnNamespace();
  [api, operator] = await Promise.all([startApi(), signUpOperator()]);
  [tenant, other] = [await newTenant(), await newTenant()];
  await api.adapters.sessions.create({ ...newSession(other.tenantId), userId: 'ann', createdAt: new Date().toISOString() });
});
afterAll(async () => {
  await valkey.close();
  await api.stop();
});

/** As the worker has it, but for where the API is and what was put in the way. */
function adaptersFor(running: RunningApi, changes: Partial<IsolationProbeDeps> = {}, suspendsIntruders = false) {
  const { adapters } = running;
  const isolationProbe = createIsolationProbe({
    ...adapters,
    settings,
    aws,
    access,
    valkey,
    codec: adapters.dataConverter.payloadCodecs[0],
    apiUrl: running.url,
    ...changes,
  });
  return { ...adapters, isolationProbe, suspendsIntruders };
}

async function probe(running: RunningApi, changes: Partial<IsolationProbeDeps> = {}) {
  const activities = createMaintenanceActivities(adaptersFor(running, changes));
  const user = { tenantId: tenant.tenantId, email: 'probe@tenure.invalid' };
  try {
    return await new MockActivityEnvironment().run((): ReturnType<typeof activities.probeTenant> => activities.probeTenant({ ...user, otherTenantId: other.tenantId }));
  } finally {
    await activities.removeProbeUser(user);
  }
}

const lastOf = async (tenantId: string): Promise<ProbeResult> => {
  const { status, body } = await api.send<ProbeResult>(`/api/v1/tenants/${tenantId}/isolation`, { token: operator.accessToken });
  expect(status).toBe(200);
  return body;
};
const throughOf = (attempts: readonly ProbeAttempt[]) => attempts.filter(({ answer }) => answer === 'got_through').map(({ kind, what }) => `${kind} ${what}`);

describe('a tenant that is kept apart', () => {
  it('is refused everywhere, by what lets it in at home; what the emulator cannot show is not counted as refused', async () => {
    const { summary, findings, suspend } = await probe(api);
    const { attempts } = await lastOf(tenant.tenantId);
    expect(throughOf(attempts)).toEqual([]);
    expect([findings, suspend]).toEqual([[], false]);
    const refused = new Set<string>(attempts.filter(({ answer }) => answer === 'refused').map(({ kind }) => kind));
    const notTried = new Map(attempts.filter(({ answer }) => answer === 'not_tried').map((attempt) => [attempt.kind, attempt]));
    // The emulator refuses lists of parameters even to whom they belong: their refusal elsewhere proves nothing.
    const onlyAtAws: ProbedKind[] = ['parameterPrefix', 'memory', 'runtime', 'gateway', 'workloadIdentity', 'credentialProvider', 'scalingPolicy'];
    for (const kind of [...(Object.keys(tenantResources('*')) as ProbedKind[]), ...probedBesides]) expect([kind, refused.has(kind)]).toEqual([kind, !onlyAtAws.includes(kind)]);
    for (const kind of onlyAtAws) expect(notTried.get(kind)?.why).toMatch(kind === 'parameterPrefix' ? /proves nothing/ : /emulator|has no scaling policy/);
    // Each route that names a tenant, as the API itself tells them.
    expect(attempts.filter(({ what }) => what.startsWith('token: ')).length).toBeGreaterThan(20);
    expect(attempts).toContainEqual({ kind: 'liveStream', what: 'token: GET /api/v1/tenants/{tenantId}/sessions/{sessionId}/events', answer: 'refused' });
    expect(attempts).toContainEqual({ kind: 'api', what: "token: GET a session of another by its own tenant's path", answer: 'refused' });
    // What is tried is tried: but for what would do harm, what is not here, and Temporal.
    expect(attempts.filter(({ answer, why = '' }) => answer === 'not_tried' && !/proves nothing|emulator|would change something|no scaling policy|credentials of Temporal/.test(why))).toEqual([]);
    // What is refused at home too is only what the emulator refuses to everybody.
    expect(attempts.filter(({ why = '' }) => why.includes('proves nothing')).map(({ kind }) => kind)).toEqual(['parameterPrefix']);
    expect(summary).toMatchObject({ tenantId: tenant.tenantId, otherTenantId: other.tenantId, gotThrough: 0 });
    expect(summary.refused + summary.notTried).toBe(attempts.length);
  });

  it('says that nothing of the API was tried when it is not known where that is, or nobody could be signed in', async () => {
    await probe(api, { apiUrl: undefined });
    expect((await lastOf(tenant.tenantId)).attempts).toContainEqual({ kind: 'api', what: 'token: every route', answer: 'not_tried', why: 'It is not known where the API is: set ISOLATION_PROBE_API_URL.' });
    const users = { ...api.adapters.users, restore: () => Promise.reject(new Error('Cognito is away')) };
    await probe(api, { users });
    expect((await lastOf(tenant.tenantId)).attempts).toContainEqual(expect.objectContaining({ kind: 'api', answer: 'not_tried', why: expect.stringContaining('Cognito is away') as string }));
  });
});

describe('a hole', () => {
  const inRole = async (Action: string | string[], Resource: string | string[]) => {
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] });
    await aws.iam.send(new PutRolePolicyCommand({ RoleName: tenantResources(tenant.tenantId).role, PolicyName: 'hole', PolicyDocument }));
  };
  const closed = () => aws.iam.send(new DeleteRolePolicyCommand({ RoleName: tenantResources(tenant.tenantId).role, PolicyName: 'hole' }));

  it("in the role's policy is found, told to CloudWatch, and nothing else is", async () => {
    const bucket = `arn:aws:s3:::${other.infrastructure.bucketName}`;
    await inRole(['s3:ListBucket', 's3:GetObject'], [bucket, `${bucket}/*`]);
    const { findings } = await probe(api).finally(closed);
    expect(findings.map(({ kind, tenantId, subject, message }) => [kind, tenantId, subject, message.split(' got')[0]])).toEqual([
      ['isolation/breached', tenant.tenantId, `bucket of ${other.tenantId}`, 'role: ListObjectsV2'],
      ['isolation/breached', tenant.tenantId, `bucket of ${other.tenantId}`, 'role: GetObject'],
    ]);
    const { Datapoints } = await aws.cloudWatch.send(
      new GetMetricStatisticsCommand({
        Namespace: metrics.namespace,
        MetricName: metrics.isolationBreaches,
        Dimensions: [{ Name: metrics.dimension, Value: tenant.tenantId }],
        StartTime: new Date(Date.now() - 600_000),
        EndTime: new Date(Date.now() + 60_000),
        Period: 3_600,
        Statistics: ['Sum'],
      }),
    );
    expect(Datapoints?.reduce((sum, { Sum = 0 }) => sum + Sum, 0)).toBe(2);
    const { MetricAlarms } = await aws.cloudWatch.send(new DescribeAlarmsCommand({ AlarmNames: [platformResources.isolationAlarm] }));
    expect(MetricAlarms).toMatchObject([{ MetricName: metrics.isolationBreaches, Threshold: 1 }]);
  });

  it("in the use of another's key opens its histories and streams, and is found as such", async () => {
    await inRole('kms:*', other.infrastructure.keyArn);
    await probe(api).finally(closed);
    expect(throughOf((await lastOf(tenant.tenantId)).attempts)).toEqual(['keyAlias role: GenerateDataKey', 'history role: open a sealed payload', 'liveStream role: open an entry of a stream']);
  });

  it("in the API's check of the tenant is found, at every route of tenants", async () => {
    // Whatever tenant a request names, tokens of this one are good.
    const open = await startApi({ issuers: { ...api.adapters.issuers, tenant: () => api.adapters.issuers.tenant(tenant.infrastructure) } });
    try {
      const { findings } = await probe(open);
      const { attempts } = await lastOf(tenant.tenantId);
      const ofTenants = attempts.filter(({ what, answer }) => what.startsWith('token: ') && answer === 'got_through').map(({ what }) => what);
      // The first answers that there is no such source: only who was let in hears so.
      expect(ofTenants).toEqual(expect.arrayContaining(['token: GET /api/v1/tenants/{tenantId}/tool-sources/{source}', 'token: GET /api/v1/tenants/{tenantId}/sessions', 'token: GET /api/v1/tenants/{tenantId}/sessions/{sessionId}/events', 'token: POST /api/v1/tenant/{tenantId}/agent']));
      expect(findings).toHaveLength(ofTenants.length);
    } finally {
      await open.stop();
    }
  });

  it('in the cipher of a process, which would take the key of whoever sealed it, is found', async () => {
    const { cipher } = api.adapters;
    const careless: typeof cipher = { seal: (_tenantId, context, bytes) => cipher.seal(tenant.tenantId, context, bytes), open: (_tenantId, context, bytes) => cipher.open(tenant.tenantId, context, bytes) };
    await probe(api, { cipher: careless });
    expect(throughOf((await lastOf(tenant.tenantId)).attempts)).toEqual(['history process: open what is sealed, by a data key that is cached, in its own name']);
  });

  it('found in a run by hand is in its report, suspends who got in, and leaves no user behind', async () => {
    const { registry } = api.adapters;
    // Other tests' tenants come and go.
    const list: typeof registry.list = async () => ({ unreadable: [], tenants: (await Promise.all([tenant, other].map(({ tenantId }) => registry.get(tenantId)))).filter((one) => one !== undefined) });
    const stop = await startWorkers({ ...adaptersFor(api, {}, true), registry: { ...registry, list } }, []);
    await inRole('dynamodb:Query', `arn:aws:dynamodb:${settings.region}:*:table/tenant-*-data`);
    try {
      const body = { reason: 'a test', tenantIds: [tenant.tenantId] };
      expect(await api.send('/api/v1/maintenance/isolation_probe/run', { method: 'POST', token: operator.accessToken, body })).toMatchObject({ status: 202 });
      await api.adapters.temporalClient.workflow.getHandle('platform/maintenance/isolation_probe-by-hand').result();
    } finally {
      await closed();
      await stop();
    }
    const { body: page } = await api.send<{ data: MaintenanceReport[] }>('/api/v1/maintenance/isolation_probe/reports?limit=1', { token: operator.accessToken });
    expect(page.data).toMatchObject([
      {
        outcome: 'findings',
        tenants: 1,
        findings: [
          { kind: 'isolation/breached', tenantId: tenant.tenantId, subject: expect.stringMatching(/^table of /) as string },
          { kind: 'isolation/suspended', tenantId: tenant.tenantId, message: expect.stringContaining('suspension_') as string },
        ],
        probes: [{ tenantId: tenant.tenantId, gotThrough: 1 }],
      },
    ]);
    expect((await api.adapters.registry.get(tenant.tenantId))?.status).toBe('suspended');
    const emails: string[] = [];
    for await (const { email } of api.adapters.users.all(tenant.infrastructure.userPoolId)) emails.push(email);
    expect(emails).toEqual([]);
  });
});

it('says of a tenant that was never probed that there is nothing yet', async () => {
  expect((await api.send('/api/v1/tenants/nobody-yet/isolation', { token: operator.accessToken })).body).toMatchObject({ status: 404, code: 'maintenance/not-found' });
});
