import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { createTenantDirectory } from '../../../src/adapters/aws/tenant-directory';
import { platformResources } from '../../../src/contracts/names';
import type { TenantRegistry } from '../../../src/ports/tenant-registry';
import { aws, newOperationId, newTenantId, registry, standingPlatform } from './tenants';

beforeAll(standingPlatform);

const reservation = (tenantId = newTenantId(), operationId = newOperationId(tenantId)) => ({ tenantId, operationId, displayName: 'Acme', tier: 'standard' }) as const;
const infrastructure = { userPoolId: 'p', userPoolClientId: 'c', keyArn: 'k', roleArn: 'r', tableName: 't', bucketName: 'b' };

describe('reserve', () => {
  it('lets one of ten operations win', async () => {
    const tenantId = newTenantId();
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => registry.reserve(reservation(tenantId))));
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(won).toHaveLength(1);
    expect(lost.map(({ reason }) => (reason as { code: string }).code)).toEqual(Array.from({ length: 9 }, () => 'tenant/exists'));
  });

  it('gives the same operation the same record again', async () => {
    const request = { ...reservation(), rate: { requestsPerMinute: 7, burst: 3 } };
    const first = await registry.reserve(request);
    expect(await registry.reserve(request)).toEqual(first);
    expect(await registry.get(request.tenantId)).toEqual(first);
  });

  it('keeps a deleted id from reuse', async () => {
    const request = reservation();
    await registry.reserve(request);
    await registry.transition({ ...request, from: ['provisioning'], to: 'deleted' });
    await expect(registry.reserve(request)).rejects.toMatchObject({ code: 'tenant/exists' });
  });
});

describe('bury', () => {
  it('keeps the first tombstone, however often its operation says it, and hears nobody else', async () => {
    const request = reservation();
    await registry.reserve(request);
    await registry.transition({ ...request, from: ['provisioning'], to: 'offboarding' });
    const first = { deletedAt: '2030-01-01T00:00:00.000Z' };
    await registry.bury({ ...request, tombstone: first });
    await registry.bury({ ...request, tombstone: { deletedAt: '2030-01-02T00:00:00.000Z' } });
    expect(await registry.get(request.tenantId)).toMatchObject({ status: 'deleted', tombstone: first });
    await expect(registry.bury({ ...request, operationId: newOperationId(request.tenantId), tombstone: first })).rejects.toMatchObject({ code: 'tenant/busy' });
  });
});

describe('release', () => {
  it('gives the id back, for the operation that holds it alone', async () => {
    const request = reservation();
    await registry.reserve(request);
    await registry.release(request.tenantId, newOperationId(request.tenantId));
    expect(await registry.get(request.tenantId)).toBeDefined();
    for (let again = 0; again < 2; again++) await registry.release(request.tenantId, request.operationId);
    expect(await registry.get(request.tenantId)).toBeUndefined();
  });
});

describe('transition', () => {
  it('lets one of two operations win, and both of its attempts', async () => {
    const request = reservation();
    await registry.reserve(request);
    await registry.transition({ ...request, from: ['provisioning'], to: 'active' });
    const leave = (operationId: string) => registry.transition({ tenantId: request.tenantId, operationId, from: ['active'], to: 'offboarding' });
    const [a, b] = [newOperationId(request.tenantId), newOperationId(request.tenantId)];
    const outcomes = await Promise.allSettled([leave(a), leave(a), leave(b), leave(b)]);
    const { operationId } = (await registry.get(request.tenantId)) ?? {};
    const winner = ['fulfilled', 'fulfilled', 'rejected', 'rejected'];
    expect(outcomes.map(({ status }) => status)).toEqual(operationId === a ? winner : winner.reverse());
    await expect(leave(operationId === a ? b : a)).rejects.toMatchObject({ code: 'tenant/busy' });
  });

  it.each(['transition', 'update'] as const)('%s knows no tenant that is not there', async (verb) => {
    const tenantId = newTenantId();
    const attempt = verb === 'update' ? registry.update(tenantId, { infrastructure }) : registry.transition({ ...reservation(tenantId), from: ['active'], to: 'deleted' });
    await expect(attempt).rejects.toMatchObject({ code: 'tenant/not-found' });
    expect(await registry.get(tenantId)).toBeUndefined();
  });
});

it('lists every tenant once, page by page', async () => {
  const made = await Promise.all(Array.from({ length: 5 }, () => registry.reserve(reservation())));
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await registry.list({ limit: 2, ...(cursor && { cursor }) });
    expect(page.tenants.length).toBeLessThanOrEqual(2);
    seen.push(...page.tenants.map(({ tenantId }) => tenantId));
    cursor = page.nextCursor;
  } while (cursor);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(expect.arrayContaining(made.map(({ tenantId }) => tenantId)));
  await expect(registry.list({ cursor: 'No tenant' })).rejects.toMatchObject({ code: 'request/malformed' });
});

describe('an entry that cannot be read', () => {
  const damaged = reservation();
  const set = (status: string) =>
    aws.table.send(new UpdateCommand({ TableName: platformResources.registryTable, Key: { tenantId: damaged.tenantId }, UpdateExpression: 'SET #s = :s', ExpressionAttributeNames: { '#s': 'status' }, ExpressionAttributeValues: { ':s': status } }));
  beforeAll(() => registry.reserve(damaged));
  // Others look at the same registry.
  afterAll(() => registry.release(damaged.tenantId, damaged.operationId));

  it('keeps nobody from the others, is not forgotten, and says what is wrong', async () => {
    const { tenantId } = await registry.reserve(reservation());
    await set('actve');
    const { tenants, unreadable } = await registry.list({ limit: 10_000 });
    expect(unreadable).toContain(damaged.tenantId);
    expect(tenants.map((tenant) => tenant.tenantId)).toContain(tenantId);
    await expect(registry.get(damaged.tenantId)).rejects.toMatchObject({ code: 'tenant/unreadable', message: expect.stringMatching(/status: .*active/) as unknown });
    await set('provisioning');
    expect(await registry.get(damaged.tenantId)).toMatchObject({ status: 'provisioning' });
  });
});

describe('claim', () => {
  const naming = (operationId: string): unknown => expect.stringContaining(operationId);

  async function standing() {
    const request = reservation();
    await registry.reserve(request);
    await registry.transition({ ...request, from: ['provisioning'], to: 'active' });
    return request;
  }

  it('lets one of ten operations win, again and again, until it lets go', async () => {
    const { tenantId } = await standing();
    const ids = Array.from({ length: 10 }, () => newOperationId(tenantId));
    const outcomes = await Promise.allSettled(ids.map((id) => registry.claim(tenantId, id)));
    const winner = ids[outcomes.findIndex(({ status }) => status === 'fulfilled')] ?? '';
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(9);
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'tenant/busy', message: naming(winner) });
    expect(await registry.claim(tenantId, winner)).toMatchObject({ claimedBy: winner, status: 'active' });
    const [other = ''] = ids.filter((id) => id !== winner);
    await registry.releaseClaim(tenantId, other);
    await expect(registry.claim(tenantId, other)).rejects.toMatchObject({ code: 'tenant/busy' });
    for (let again = 0; again < 2; again++) await registry.releaseClaim(tenantId, winner);
    expect(await registry.claim(tenantId, other)).toMatchObject({ claimedBy: other });
  });

  it('keeps others from moving the tenant, and its own operation not', async () => {
    const { tenantId } = await standing();
    const [a, b] = [newOperationId(tenantId), newOperationId(tenantId)];
    await registry.claim(tenantId, a, ['active']);
    const leaving = { tenantId, operationId: b, from: ['active'], to: 'offboarding' } as const;
    await expect(registry.transition(leaving)).rejects.toMatchObject({ code: 'tenant/busy', message: naming(a) });
    expect(await registry.transition({ ...leaving, operationId: a, to: 'suspended' })).toMatchObject({ status: 'suspended', claimedBy: a });
    // Its first attempt may have changed the status already.
    expect(await registry.claim(tenantId, a, ['active'])).toMatchObject({ claimedBy: a });
    await registry.releaseClaim(tenantId, a);
    expect(await registry.transition({ ...leaving, from: ['suspended'] })).toMatchObject({ status: 'offboarding' });
  });

  it('says what the tenant is when that is not what the operation needs', async () => {
    const request = reservation();
    const { tenantId } = request;
    const claim = (...from: ('active' | 'suspended')[]) => registry.claim(tenantId, newOperationId(tenantId), from);
    await expect(claim('active')).rejects.toMatchObject({ code: 'tenant/not-found' });
    await registry.reserve(request);
    await expect(claim('active')).rejects.toMatchObject({ code: 'tenant/busy', message: naming(request.operationId) });
    await registry.transition({ ...request, from: ['provisioning'], to: 'active' });
    await expect(claim('suspended')).rejects.toMatchObject({ code: 'tenant/not-suspended' });
    await registry.transition({ ...request, from: ['active'], to: 'suspended' });
    await expect(claim('active')).rejects.toMatchObject({ code: 'tenant/suspended' });
    await registry.transition({ ...request, from: ['suspended'], to: 'deleted' });
    await expect(claim('active', 'suspended')).rejects.toMatchObject({ code: 'tenant/not-found' });
  });
});

describe('the directory', () => {
  /** Counts what reaches the registry. */
  function counted(): { counting: TenantRegistry; reads: () => number } {
    let reads = 0;
    return { counting: { ...registry, get: (id) => ((reads += 1), registry.get(id)) }, reads: () => reads };
  }

  it('serves a tenant once it is built and active, and tells what it is until then', async () => {
    const request = reservation();
    const directory = createTenantDirectory({ registry, cacheMs: 0 });
    await expect(directory.served(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-found' });
    await registry.reserve(request);
    await expect(directory.built(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-active' });
    await registry.update(request.tenantId, { infrastructure, memoryId: 'm' });
    expect(await directory.built(request.tenantId)).toMatchObject({ infrastructure, memoryId: 'm' });
    await expect(directory.served(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-active' });
    await registry.transition({ ...request, from: ['provisioning'], to: 'active' });
    expect(await directory.served(request.tenantId)).toMatchObject({ status: 'active' });
    await registry.transition({ ...request, from: ['active'], to: 'deleted' });
    await expect(directory.built(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-found' });
  });

  it('says of a leaving tenant until when that can be called off, and serves it once it is', async () => {
    const request = reservation();
    const directory = createTenantDirectory({ registry, cacheMs: 0 });
    await registry.reserve(request);
    await registry.update(request.tenantId, { infrastructure, memoryId: 'm' });
    await registry.transition({ ...request, from: ['provisioning'], to: 'offboarding' });
    const keepUntil = '2030-01-01T00:00:00.000Z';
    await registry.update(request.tenantId, { keepUntil });
    await expect(directory.served(request.tenantId)).rejects.toMatchObject({ code: 'tenant/leaving', message: expect.stringContaining(keepUntil) as string });
    await registry.transition({ ...request, from: ['offboarding'], to: 'active' });
    expect(await directory.served(request.tenantId)).not.toHaveProperty('keepUntil');
  });

  it('reads the registry once, however many ask', async () => {
    const request = reservation();
    await registry.reserve(request);
    await registry.update(request.tenantId, { infrastructure, memoryId: 'm' });
    const { counting, reads } = counted();
    const directory = createTenantDirectory({ registry: counting, cacheMs: 60_000 });
    await Promise.all(Array.from({ length: 50 }, () => directory.built(request.tenantId)));
    await directory.built(request.tenantId);
    expect(reads()).toBe(1);
  });

  it('does not remember that a tenant is not there, nor what it lacks', async () => {
    const request = reservation();
    const directory = createTenantDirectory({ registry, cacheMs: 60_000 });
    await expect(directory.built(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-found' });
    await registry.reserve(request);
    await expect(directory.built(request.tenantId)).rejects.toMatchObject({ code: 'tenant/not-active' });
    await registry.update(request.tenantId, { infrastructure, memoryId: 'm' });
    await expect(directory.built(request.tenantId)).resolves.toBeDefined();
  });
});
