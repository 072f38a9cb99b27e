import { memory, standingPlatform, standingTenant } from './tenants';

let tenantId: string;
let otherTenantId: string;
beforeAll(async () => {
  await standingPlatform();
  ({ tenantId } = await standingTenant());
  ({ tenantId: otherTenantId } = await standingTenant());
});

async function allOf(tenant: string) {
  const facts = [];
  for await (const fact of memory.all(tenant)) facts.push(fact);
  return facts;
}

it('recalls what the words of a question point at', async () => {
  const owner = { tenantId, userId: 'ann' };
  const fact = await memory.remember(owner, { requestId: 'r-1', text: 'color=blue' });
  await memory.remember(owner, { requestId: 'r-2', text: 'lives in Lisbon' });
  expect(await memory.recall(owner, { text: 'color preference' })).toEqual([expect.objectContaining({ factId: fact.factId, text: 'color=blue' })]);
});

it('keeps a repeated request once', async () => {
  const owner = { tenantId, userId: 'ben' };
  const first = await memory.remember(owner, { requestId: 'same', text: 'likes tea' });
  expect(await memory.remember(owner, { requestId: 'same', text: 'likes tea' })).toMatchObject({ factId: first.factId, text: 'likes tea' });
  expect(await memory.recall(owner, { text: 'tea' })).toHaveLength(1);
});

it('keeps no half of a character: AgentCore could give back none of the facts around it', async () => {
  const owner = { tenantId, userId: 'half' };
  expect(await memory.remember(owner, { requestId: 'half', text: 'color=\ud800blue' })).toMatchObject({ text: 'color=\ufffdblue' });
  expect(await memory.recall(owner, { text: 'color \udc00' })).toMatchObject([{ text: 'color=\ufffdblue' }]);
});

it('tells nobody else, in this tenant or in another', async () => {
  await memory.remember({ tenantId, userId: 'carl' }, { requestId: 'r', text: 'password hint' });
  expect(await memory.recall({ tenantId, userId: 'car' }, { text: 'password hint' })).toEqual([]);
  expect(await memory.recall({ tenantId, userId: 'dora' }, { text: 'password hint' })).toEqual([]);
  expect(await memory.recall({ tenantId: otherTenantId, userId: 'carl' }, { text: 'password hint' })).toEqual([]);
});

it('gives all facts of a tenant, with the user they belong to', async () => {
  for (let count = 0; count < 130; count++) await memory.remember({ tenantId: otherTenantId, userId: `user-${count % 2}` }, { requestId: `r-${count}`, text: `fact ${count}` });
  const facts = await allOf(otherTenantId);
  expect(new Set(facts.map(({ text }) => text)).size).toBe(130);
  expect(new Set(facts.map(({ namespace }) => namespace))).toEqual(new Set(['/users/user-0/facts', '/users/user-1/facts']));
});

it('knows nothing of a tenant that is not there', async () => {
  await expect(memory.recall({ tenantId: 'nobody', userId: 'ann' }, { text: 'x' })).rejects.toMatchObject({ code: 'tenant/not-found' });
});
