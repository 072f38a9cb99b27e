import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp } from './accounts';
import { type Answer, type RunningApi, startApi } from './running-api';

interface Shown {
  readonly factId: string;
  readonly text: string;
  readonly createdAt: string;
  readonly code?: string;
}

interface Page {
  readonly data: Shown[];
  readonly nextCursor?: string;
  readonly code?: string;
}

let api: RunningApi;
let tenant: ServedTenant;
let ada: Account;
let bob: Account;
let administrator: Account;

beforeAll(async () => {
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [ada, bob, administrator] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
});
afterAll(() => api.stop());

let remembered = 0;
const remember = async ({ userId }: Account, text: string) =>
  (await api.adapters.memory.remember({ tenantId: tenant.tenantId, userId }, { requestId: `r-${(remembered += 1)}`, text })).factId;
const send = <Body = Shown>(method: string, rest: string, { by = ada, body }: { by?: Account; body?: object } = {}): Promise<Answer<Body>> =>
  api.send<Body>(`/api/v1/tenants/${tenant.tenantId}/memories${rest}`, { method, token: by.accessToken, body });
const textsOf = async (by: Account, query = '') => (await send<Page>('GET', query, { by })).body.data.map(({ text }) => text);

it('shows users what is remembered of them, a page at a time', async () => {
  for (const count of [1, 2, 3]) await remember(ada, `fact ${count}`);
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await send<Page>('GET', `?limit=2${cursor}`);
    expect(body.data.length).toBeLessThanOrEqual(2);
    seen.push(...body.data.map(({ text }) => text));
    if (body.nextCursor === undefined) break;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
  }
  expect(seen.sort()).toEqual(['fact 1', 'fact 2', 'fact 3']);
  expect((await send<Page>('GET', '?cursor=nowhere')).body).toMatchObject({ status: 422, code: 'cursor/unknown' });
});

it('lets a user correct a fact, which keeps its id: agents recall the new words, and never the old', async () => {
  const factId = await remember(ada, 'Lives in Lisbon.');
  const corrected = await send('PUT', `/${factId}`, { body: { text: 'Lives in Porto.' } });
  expect(corrected).toMatchObject({ status: 200, body: { factId, text: 'Lives in Porto.', createdAt: expect.any(String) as unknown } });
  const recalled = await api.adapters.memory.recall({ tenantId: tenant.tenantId, userId: ada.userId }, { text: 'lives in' });
  expect(recalled.map(({ text }) => text)).toEqual(['Lives in Porto.']);
  expect((await send('PUT', `/${factId}`, { body: { text: '   ' } })).status).toBe(400);
});

it('lets a user have a fact forgotten', async () => {
  const factId = await remember(ada, 'Keeps a cat.');
  expect((await send('DELETE', `/${factId}`)).status).toBe(204);
  expect(await textsOf(ada)).not.toContain('Keeps a cat.');
  for (const method of ['DELETE', 'PUT']) expect((await send(method, `/${factId}`, { body: { text: 'x' } })).body).toMatchObject({ status: 404, code: 'memory/not-found' });
});

it('keeps them from other users, and lets an administrator see, correct and delete them', async () => {
  const factId = await remember(bob, 'Drinks tea.');
  expect(await textsOf(ada)).not.toContain('Drinks tea.');
  expect((await send<Page>('GET', `?userId=${bob.userId}`)).body).toMatchObject({ status: 403, code: 'auth/forbidden' });
  expect((await send('PUT', `/${factId}`, { body: { text: 'Drinks gin.' } })).body).toMatchObject({ status: 404, code: 'memory/not-found' });
  expect((await send('DELETE', `/${factId}`)).status).toBe(404);
  expect(await textsOf(bob)).toEqual(['Drinks tea.']);
  const by = administrator;
  expect(await textsOf(by)).toEqual([]);
  expect(await textsOf(by, `?userId=${bob.userId}`)).toEqual(['Drinks tea.']);
  expect((await send('PUT', `/${factId}`, { by, body: { text: 'Drinks coffee.' } })).status).toBe(200);
  expect(await textsOf(bob)).toEqual(['Drinks coffee.']);
  expect((await send('DELETE', `/${factId}`, { by })).status).toBe(204);
  expect(await textsOf(bob)).toEqual([]);
});
