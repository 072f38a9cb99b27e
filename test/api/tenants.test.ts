import { randomUUID } from 'node:crypto';
import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { groups, tenantResources } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { AgentConfig, type TenantRecord } from '../../src/contracts/tenant';
import { aws, newTenantId } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type ApiRequest, type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let operator: Account;

beforeAll(async () => {
  [api, operator] = await Promise.all([startApi(), signUpOperator()]);
  stopWorkers = await startWorkers(api.adapters, []);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const asOperator = (request: ApiRequest = {}): ApiRequest => ({ token: operator.accessToken, ...request });
const create = (tenantId: string, more: object = {}, key: string = randomUUID()) =>
  api.send<Operation & { code?: string }>(
    '/api/v1/tenants',
    asOperator({ method: 'POST', body: { tenantId, administrator: { email: 'admin@example.com' }, ...more }, headers: { 'idempotency-key': key } }),
  );
const offboard = (tenantId: string, query = '', key: string = randomUUID()) =>
  api.send<Operation & { code?: string }>(`/api/v1/tenants/${tenantId}${query}`, asOperator({ method: 'DELETE', headers: { 'idempotency-key': key } }));
/** Nothing serves the queues of these tenants: their operations stay under way until they are cancelled. */
const cancel = (operationId: string) => api.send<Operation & { code?: string }>(`/api/v1/operations/${operationId}/cancel`, asOperator({ method: 'POST' }));

describe('onboarding', () => {
  it('answers with the operation and where it is shown', async () => {
    const tenantId = newTenantId();
    const { status, headers, body } = await create(tenantId);
    expect({ status, body }).toMatchObject({ status: 202, body: { kind: 'onboarding', tenantId, state: 'running' } });
    expect(headers.get('location')).toBe(`/api/v1/operations/${body.operationId}`);
    const shown = await api.send<Operation>(headers.get('location') ?? '', asOperator());
    expect(shown.body).toMatchObject({ operationId: body.operationId, tenantId });
    expect((await cancel(body.operationId)).status).toBe(202);
  });

  it('finds the same operation under its Idempotency-Key, and refuses another request under it', async () => {
    const [tenantId, key] = [newTenantId(), randomUUID()];
    const first = await create(tenantId, {}, key);
    const again = await create(tenantId, {}, key);
    expect([again.status, again.body.operationId]).toEqual([202, first.body.operationId]);
    const other = await create(tenantId, { tier: 'premium' }, key);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency/key-reused']);
    await cancel(first.body.operationId);
  });

  it('lets one of two have an id', async () => {
    const tenantId = newTenantId();
    const both = await Promise.all([create(tenantId), create(tenantId)]);
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(both.find(({ status }) => status === 409)?.body.code).toBe('tenant/exists');
    await cancel(both.find(({ status }) => status === 202)?.body.operationId ?? '');
  });

  it.each(['ab', 'Upper', '1digit', 'under_score', `a${'b'.repeat(32)}`])('refuses the id %s', async (tenantId) => {
    const { status, body } = await create(tenantId);
    expect([status, body.code]).toEqual([400, 'request/malformed']);
  });

  it('refuses an agent with tools there are not', async () => {
    const { status, body } = await create(newTenantId(), { agent: { tools: ['teleport'] } });
    expect([status, body.code]).toEqual([422, 'config/invalid']);
  });
});

describe('tenants', () => {
  it('are listed in pages, each once', async () => {
    const made = await Promise.all([newTenant(), newTenant(), newTenant()]);
    const found: string[] = [];
    for (let query: string | undefined = '?limit=2'; query !== undefined; ) {
      const page: { data: TenantRecord[]; nextCursor?: string } = (await api.send<{ data: TenantRecord[]; nextCursor?: string }>(`/api/v1/tenants${query}`, asOperator())).body;
      found.push(...page.data.map(({ tenantId }) => tenantId));
      query = page.nextCursor === undefined ? undefined : `?limit=2&cursor=${page.nextCursor}`;
    }
    expect(found).toEqual(expect.arrayContaining(made.map(({ tenantId }) => tenantId)));
    expect(new Set(found).size).toBe(found.length);
  });

  it('are shown one by one', async () => {
    const { tenantId } = await newTenant();
    expect((await api.send(`/api/v1/tenants/${tenantId}`, asOperator())).body).toMatchObject({ tenantId, status: 'active' });
    expect((await api.send('/api/v1/tenants/no-such-tenant', asOperator())).body).toMatchObject({ status: 404, code: 'tenant/not-found' });
  });
});

describe('offboarding', () => {
  it('answers with the operation, blocks the tenant, and can be taken back', async () => {
    const { tenantId } = await newTenant();
    const { status, body } = await offboard(tenantId, '?graceSeconds=3600&drainSeconds=0');
    expect({ status, body }).toMatchObject({ status: 202, body: { kind: 'offboarding', tenantId } });
    expect((await api.adapters.registry.get(tenantId))?.status).toBe('offboarding');
    expect((await offboard(tenantId)).body.code).toBe('tenant/busy');
    expect((await cancel(body.operationId)).status).toBe(202);
  });

  it('does not know a tenant that is not there', async () => {
    const { status, body } = await offboard('no-such-tenant');
    expect([status, body.code]).toEqual([404, 'tenant/not-found']);
  });

  it('refuses a grace period that is none', async () => {
    expect((await offboard('no-such-tenant', '?graceSeconds=soon')).body.code).toBe('request/malformed');
  });
});

it('does not know an operation that is not there', async () => {
  const path = `/api/v1/operations/onboarding_acme_${'0'.repeat(26)}`;
  expect((await api.send(path, asOperator())).body).toMatchObject({ status: 404, code: 'operation/not-found' });
  expect((await api.send(`${path}/cancel`, asOperator({ method: 'POST' }))).body).toMatchObject({ status: 404, code: 'operation/not-found' });
});

describe("a tenant's agent", () => {
  it('is shown and replaced by an administrator', async () => {
    const tenant = await newTenant();
    const { accessToken: token } = await signUp(tenant, [groups.administrators]);
    const path = `/api/v1/tenants/${tenant.tenantId}/config`;
    expect((await api.send(path, { token })).body).toEqual(AgentConfig.parse({}));
    const agent = { ...AgentConfig.parse({}), systemPrompt: 'You speak like a pirate.', tools: ['calculator'] };
    expect((await api.send(path, { method: 'PUT', token, body: agent })).body).toEqual(agent);
    expect((await api.send(path, { token })).body).toEqual(agent);
  });

  it('is refused with a setting that is mistyped, in words that name it, and stays as it was', async () => {
    const tenant = await newTenant();
    const { accessToken: token } = await signUp(tenant, [groups.administrators]);
    const path = `/api/v1/tenants/${tenant.tenantId}/config`;
    const approvals = { otherwise: { write: 'ask' } };
    const refused = { status: 400, code: 'request/malformed' };
    const issue = (at: string) => ({ path: at, message: expect.stringContaining('"aprovals"') as unknown });
    expect((await api.send(path, { method: 'PUT', token, body: { aprovals: approvals } })).body).toMatchObject({ ...refused, errors: [issue('body')] });
    expect((await api.send(`/api/v1/tenants/${tenant.tenantId}/agents`, { method: 'POST', token, body: { name: 'support', settings: { aprovals: approvals } } })).body).toMatchObject({ ...refused, errors: [issue('body.settings')] });
    expect((await api.send(path, { token })).body).toEqual(AgentConfig.parse({}));
  });

  describe.each([
    ['is damaged', (Name: string) => aws.ssm.send(new PutParameterCommand({ Name, Value: '{"modelId":7}', Type: 'SecureString', Overwrite: true }))],
    ['is gone', (Name: string) => aws.ssm.send(new DeleteParameterCommand({ Name }))],
  ])('that %s', (_what, harm) => {
    const agent = { ...AgentConfig.parse({}), systemPrompt: 'You are whole again.' };

    it('is mended by an administrator who replaces it; a secret it cannot be asked for must be said', async () => {
      const tenant = await newTenant();
      const { accessToken: token } = await signUp(tenant, [groups.administrators]);
      const { agentParameter } = tenantResources(tenant.tenantId);
      await harm(agentParameter);
      const path = `/api/v1/tenants/${tenant.tenantId}/config`;
      expect((await api.send(path, { token })).body).toMatchObject({ status: 503, code: 'config/unreadable', detail: expect.stringContaining(agentParameter) as unknown });
      const webhook = { allowedOrigins: ['https://example.com'], approvalWebhook: { url: 'https://example.com/approvals' } };
      expect((await api.send(path, { method: 'PUT', token, body: { ...agent, ...webhook } })).body).toMatchObject({ status: 422, code: 'config/invalid', detail: expect.stringContaining('a secret is needed') as unknown });
      expect((await api.send(path, { method: 'PUT', token, body: agent })).body).toEqual(agent);
      expect((await api.send(path, { token })).body).toEqual(agent);
    });

    it('is mended by an operation of an operator', async () => {
      const { tenantId } = await newTenant();
      await harm(tenantResources(tenantId).agentParameter);
      const { status, body } = await api.send<Operation>(`/api/v1/tenants/${tenantId}/configuration`, asOperator({ method: 'POST', body: { agent } }));
      expect({ status, body }).toMatchObject({ status: 202, body: { kind: 'configurationChange' } });
      const state = async () => (await api.send<Operation>(`/api/v1/operations/${body.operationId}`, asOperator())).body.state;
      while ((await state()) === 'running');
      expect(await state()).toBe('completed');
      expect((await api.send(`/api/v1/tenants/${tenantId}/config`, asOperator())).body).toEqual(agent);
    });
  });

  it('is refused with tools there are not, and stays as it was', async () => {
    const tenant = await newTenant();
    const { accessToken: token } = await signUp(tenant, [groups.administrators]);
    const path = `/api/v1/tenants/${tenant.tenantId}/config`;
    expect((await api.send(path, { method: 'PUT', token, body: { tools: ['calculator', 'teleport'] } })).body).toMatchObject({ status: 422, code: 'config/invalid' });
    expect((await api.send(path, { token })).body).toEqual(AgentConfig.parse({}));
  });

  it.each([
    ['a path, which nobody would look at', 'https://shop.example.com/public', 'write https://shop.example.com, all of which'],
    ['a user', 'https://ada@shop.example.com', 'write https://shop.example.com, all of which'],
    ['a pattern, which no address fits', 'https://*.example.com', 'name each host'],
    ['another protocol', 'ftp://shop.example.com', 'only http:// and https://'],
  ])('is refused with an origin that has %s', async (_what, origin, words) => {
    const tenant = await newTenant();
    const { accessToken: token } = await signUp(tenant, [groups.administrators]);
    const path = `/api/v1/tenants/${tenant.tenantId}/config`;
    for (const setting of ['allowedOrigins', 'idempotentOrigins']) {
      const { body } = await api.send<{ detail: string }>(path, { method: 'PUT', token, body: { [setting]: [origin] } });
      expect(body).toMatchObject({ status: 422, code: 'config/invalid', detail: expect.stringMatching(`^${setting}: `) as unknown });
      expect(body.detail).toContain(words);
      expect(body.detail).not.toContain('secret');
    }
    const { status } = await api.send(path, { method: 'PUT', token, body: { allowedOrigins: ['https://shop.example.com/', 'http://127.0.0.1:8080', 'https://b\u00fccher.example'] } });
    expect(status).toBe(200);
  });
});
