import type { MaintenanceReport, MaintenanceView } from '../../src/contracts/maintenance';
import { platformOwner } from '../../src/contracts/names';
import { bootstrapPlatform } from '../../src/bootstrap';
import { jobsOf } from '../../src/domain/maintenance';
import { loadConfig } from '../../src/config';
import { newTenantId } from '../adapters/aws/tenants';
import { type Account, signUpOperator } from './accounts';
import { type Answer, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let operator: Account;
let stopWorkers: (() => Promise<void>) | undefined;
beforeAll(async () => {
  [api, operator] = await Promise.all([startApi(), signUpOperator()]);
});
afterAll(async () => {
  await stopWorkers?.();
  await api.stop();
});

const get = <Body>(path: string) => api.send<Body>(`/api/v1/maintenance${path}`, { token: operator.accessToken });
const list = async (query = '') => (await get<{ data: MaintenanceView[] }>(query)).body.data;
const post = (path: string, body: object): Promise<Answer<MaintenanceView & { code?: string }>> => api.send(`/api/v1/maintenance/${path}`, { method: 'POST', token: operator.accessToken, body });

it("shows the platform's jobs, which the bootstrap made", async () => {
  const jobs = await list();
  expect(jobs.map(({ name }) => name)).toEqual([...jobsOf(platformOwner).keys()]);
  expect(jobs[0]).toMatchObject({ summary: 'Compare the registry with what is there', paused: false, nextRunAt: expect.any(String) as unknown });
});

it('pauses with who and why, and a bootstrap leaves it so', async () => {
  expect((await post('orphans/pause', { reason: 'we move buckets' })).body).toMatchObject({ name: 'orphans', paused: true, note: expect.stringMatching(/^Paused by operator [\w-]+: we move buckets$/) as unknown });
  await bootstrapPlatform(loadConfig());
  const paused = (await list()).find(({ name }) => name === 'orphans');
  expect(paused).toMatchObject({ paused: true, note: expect.stringContaining('we move buckets') as unknown });
  expect(paused).not.toHaveProperty('nextRunAt');
  expect((await post('orphans/resume', { reason: 'moved' })).body).toMatchObject({ paused: false, nextRunAt: expect.any(String) as unknown });
});

it("shows and steers a tenant's own", async () => {
  const tenantId = newTenantId();
  expect(await list(`?tenantId=${tenantId}`)).toEqual([]);
  expect((await post('usage/pause', { reason: 'x', tenantId })).body).toMatchObject({ status: 404, code: 'maintenance/not-found' });
  await api.adapters.schedules.ensure(tenantId);
  expect((await list(`?tenantId=${tenantId}`)).map(({ name }) => name)).toEqual([...jobsOf(tenantId).keys()]);
  expect((await post('usage/pause', { reason: 'an audit', tenantId })).body).toMatchObject({ name: 'usage', tenantId, paused: true });
});

it.each([
  ['drift/run', {}],
  ['drift/pause', { reason: '' }],
  ['drift/run', { reason: 'x', repair: 'yes' }],
  ['drift/run', { reason: 'x', force: true }],
  ['nonsense/run', { reason: 'x' }],
])('refuses %s of %p', async (path, body) => {
  expect((await post(path, body)).body).toMatchObject({ status: 400, code: 'request/malformed' });
});

it("takes nothing but a reason for a tenant's job", async () => {
  expect((await post('usage/run', { reason: 'x', tenantId: 'acme', repair: true })).body).toMatchObject({ status: 422, code: 'request/inconsistent' });
});

it("finds no report of a tenant's job, and no job of the platform's by a tenant's name", async () => {
  expect((await get('/usage/reports')).body).toMatchObject({ status: 404, code: 'maintenance/not-found' });
  expect((await post('usage/run', { reason: 'x' })).body).toMatchObject({ status: 404, code: 'maintenance/not-found' });
});

it('runs a job at once, one at a time, and shows its run and its report', async () => {
  const body = { reason: 'to see it work', tenantIds: [newTenantId()] };
  const started = await post('drift/run', body);
  expect(started).toMatchObject({ status: 202, body: { name: 'drift', lastRun: { workflowId: 'platform/maintenance/drift-by-hand', outcome: 'running' } } });
  expect((await post('drift/run', body)).body).toMatchObject({ status: 409, code: 'maintenance/running' });
  stopWorkers = await startWorkers(api.adapters, []);
  await api.adapters.temporalClient.workflow.getHandle('platform/maintenance/drift-by-hand').result();
  let view: MaintenanceView | undefined;
  // The list of runs lags behind.
  while (view?.lastRun?.outcome !== 'completed') view = (await list()).find(({ name }) => name === 'drift');
  expect(view.lastRun).toMatchObject({ workflowId: 'platform/maintenance/drift-by-hand', finishedAt: expect.any(String) as unknown });
  const { data } = (await get<{ data: MaintenanceReport[] }>('/drift/reports?limit=1')).body;
  expect(data).toMatchObject([{ name: 'drift', tenants: 1, format: 'tenure-report/1' }]);
  expect(view.lastReport).toMatchObject({ tenants: 1, findings: data[0]?.findings.length });

  await post('drift/run', body);
  await api.adapters.temporalClient.workflow.getHandle('platform/maintenance/drift-by-hand').result();
  const first = (await get<{ data: MaintenanceReport[]; nextCursor: string }>('/drift/reports?limit=1')).body;
  const second = (await get<{ data: MaintenanceReport[] }>(`/drift/reports?limit=1&cursor=${first.nextCursor}`)).body;
  expect(second.data).toEqual(data);

  // Asked nothing, it is the schedule that runs it: over all tenants that other tests have made, for which nobody waits here.
  const scheduled = (await post('drift/run', { reason: 'again' })).body.lastRun?.workflowId ?? '';
  expect(scheduled).toMatch(/^platform\/maintenance\/drift-\d{4}-/);
  await api.adapters.temporalClient.workflow.getHandle(scheduled).terminate('seen to have started');
});
